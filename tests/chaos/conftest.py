"""One directory and one build of the package for all fleets of a run."""

from pathlib import Path

import pytest

from tools.faults.build import Build, make_build


@pytest.fixture(scope="session")
def build(tmp_path_factory: pytest.TempPathFactory) -> Build:
    """The code under test, as it is at the beginning of the run."""
    return make_build(tmp_path_factory.mktemp("build"))


@pytest.fixture(scope="session")
def chaos_directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where fleets keep journals and logs."""
    return tmp_path_factory.mktemp("fleets")
