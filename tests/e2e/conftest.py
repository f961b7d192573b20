"""What only whole units need: registries that they install programs from."""

import pytest

from tests.e2e.packaged_server import NpmSource, PythonSource, Source


@pytest.fixture(params=["npm", "python"])
def source(request: pytest.FixtureRequest) -> Source:
    """Each registry in turn."""
    if request.param == "npm":
        return NpmSource(request.getfixturevalue("npm_registry"))
    return PythonSource(request.getfixturevalue("python_index"))
