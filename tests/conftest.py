"""Fixtures: databases real and fresh, units as processes, faults. The work is done in tests/support."""

import signal
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from docker.errors import DockerException
from xdist.remote import Producer

from nodeunit.demo.embedded import embedded_database
from tests.support.databases import Databases
from tests.support.distribution import ByModule
from tests.support.logins import Login, logins
from tests.support.proxy import Proxy
from tests.support.registries import NpmRegistry, PythonIndex, running_npm_registry, running_python_index
from tests.support.timescale import TimescaleServer, timescale_server
from tests.support.unit_process import UnitProcess, unit_process
from tools.timescaledb.say import CannotGoOn

NEEDS_A_CONTAINER = {"container", "e2e", "chaos"}


def pytest_configure() -> None:
    """Undo what was inherited: a script starts what it puts into the background with SIGINT ignored, nohup with SIGHUP.

    The programs under test would inherit it, though none of them is in that background itself.
    """
    for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGCHLD):
        if signal.getsignal(signum) is signal.SIG_IGN:
            signal.signal(signum, signal.default_int_handler if signum == signal.SIGINT else signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark a test by the database that it uses, and run those first that need none: they fail soonest.

    A process that shares the tests with others runs the longest first.
    """
    for item in items:
        fixtures = set(getattr(item, "fixturenames", ()))
        if fixtures & {"timescale", "own_timescale"}:
            item.add_marker("container")
        if "plain_server" in fixtures:
            item.add_marker("plain")
        if fixtures & {"npm_registry", "python_index"}:
            item.add_marker("installs")
    items.sort(key=_cost, reverse=hasattr(config, "workerinput"))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> ByModule:
    return ByModule(config, log)


def _cost(item: pytest.Item) -> int:
    """What has to be there for a test, from nothing to a whole fleet."""
    order = ("plain", "container", "e2e", "chaos")
    return max((order.index(mark.name) + 1 for mark in item.iter_markers() if mark.name in order), default=0)


@pytest.fixture(scope="session")
def timescale() -> Iterator[TimescaleServer]:
    """The TimescaleDB server of this run. Tests that harm the server take `own_timescale`."""
    with ExitStack() as stack:
        try:
            server = stack.enter_context(timescale_server(in_memory=True))
        except (CannotGoOn, DockerException, AssertionError) as error:
            reason = str(error)
        else:
            yield server
            return
    pytest.fail(f"There is no TimescaleDB for this test. {reason}", pytrace=False)


@pytest.fixture(autouse=True)
def engine(request: pytest.FixtureRequest) -> None:
    """Every test that needs a container fails at once, with the same sentence, where the first did not start."""
    if any(mark.name in NEEDS_A_CONTAINER for mark in request.node.iter_markers()):
        request.getfixturevalue("timescale")


@pytest.fixture(scope="session")
def timescale_databases(timescale: TimescaleServer) -> Databases:
    return Databases(timescale.conninfo)


@pytest.fixture
def database(timescale_databases: Databases) -> Iterator[str]:
    """The conninfo of a migrated TimescaleDB database that only this test uses."""
    with timescale_databases.fresh() as conninfo:
        yield conninfo


@pytest.fixture
def login(database: str) -> Iterator[Login]:
    """Makes logins of `database` with few rights."""
    with logins(database) as make:
        yield make


@pytest.fixture
def empty_database(timescale_databases: Databases) -> Iterator[str]:
    """The conninfo of a TimescaleDB database that nothing was migrated into."""
    with timescale_databases.fresh(migrated=False) as conninfo:
        yield conninfo


@pytest.fixture
def own_timescale() -> Iterator[TimescaleServer]:
    """A server of the test's own, to restart, kill or freeze; migrate with `Databases(server.conninfo).fresh()`."""
    with timescale_server() as server:
        yield server


@pytest.fixture(scope="session")
def plain_server() -> Iterator[str]:
    """The conninfo of the embedded PostgreSQL, which has no TimescaleDB."""
    with embedded_database({"fsync": "off", "track_commit_timestamp": "on", "max_connections": "300"}) as server:
        yield server.conninfo


@pytest.fixture(scope="session")
def plain_databases(plain_server: str) -> Databases:
    return Databases(plain_server)


@pytest.fixture
def plain_database(plain_databases: Databases) -> Iterator[str]:
    """The conninfo of a migrated database without TimescaleDB that only this test uses."""
    with plain_databases.fresh() as conninfo:
        yield conninfo


@pytest.fixture(params=["database", "plain_database"])
def conninfo(request: pytest.FixtureRequest) -> str:
    """A migrated database with TimescaleDB, and one without: the test runs on both."""
    return str(request.getfixturevalue(request.param))


@pytest.fixture
def empty_plain_database(plain_databases: Databases) -> Iterator[str]:
    """The conninfo of a database without TimescaleDB that nothing was migrated into."""
    with plain_databases.fresh(migrated=False) as conninfo:
        yield conninfo


@pytest.fixture
async def proxy(database: str) -> AsyncIterator[Proxy]:
    """A proxy in front of `database`; connect to `proxy.conninfo`."""
    async with Proxy(database) as running:
        yield running


@pytest.fixture
def start_unit(tmp_path: Path) -> Iterator[Callable[..., UnitProcess]]:
    """`start_unit(database, name="unit-1", NODE_UNIT_...="...")`: a unit as a process, ended after the test."""
    with ExitStack() as units:

        def start(database: str, *, name: str = "unit-1", **options: Any) -> UnitProcess:
            return units.enter_context(unit_process(database, tmp_path, name=name, **options))

        yield start


@pytest.fixture(scope="session")
def npm_registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NpmRegistry]:
    """A verdaccio of this run: tests publish packages of names of their own."""
    with running_npm_registry(tmp_path_factory.mktemp("npm")) as running:
        yield running


@pytest.fixture(scope="session")
def python_index() -> Iterator[PythonIndex]:
    """An index of Python packages of this run: tests add wheels of names of their own."""
    with running_python_index() as running:
        yield running
