"""One directory and one build of the package for all fleets of a run."""

from pathlib import Path

import pytest

from tools.faults.build import Build, make_build
from tools.faults.run import Run, Shape
from tools.faults.trial import Outcome


@pytest.fixture(scope="session")
def build(tmp_path_factory: pytest.TempPathFactory) -> Build:
    """The code under test, as it is at the beginning of the run."""
    return make_build(tmp_path_factory.mktemp("build"))


@pytest.fixture(scope="session")
def chaos_directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where fleets keep journals and logs."""
    return tmp_path_factory.mktemp("fleets")


@pytest.fixture(scope="module")
def run(request: pytest.FixtureRequest, build: Build, chaos_directory: Path) -> Run:
    """The kinds HERE of a module with its SEED, one after the other, on one fleet as long as that stays in order."""
    run = Run(build, chaos_directory, Shape())
    run.trials([(name, request.module.SEED) for name in request.module.HERE])
    return run


@pytest.fixture(scope="module")
def outcomes(run: Run) -> dict[str, Outcome]:
    return {outcome.kind: outcome for outcome in run.outcomes}
