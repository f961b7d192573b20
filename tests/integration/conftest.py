"""The pool of a daemon, and logs of several days."""

from collections.abc import AsyncIterator, Iterator

import pytest

from nodeunit.store.postgres import connections
from nodeunit.store.postgres.connections import Pool
from tests.support.databases import Databases
from tests.support.histories import Histories


@pytest.fixture
async def pool(database: str) -> AsyncIterator[Pool]:
    """Made as the daemon makes it, open."""
    async with connections.pool(database, "test", max_size=4) as opened:
        yield opened


@pytest.fixture(scope="session")
def timescale_histories(timescale_databases: Databases) -> Histories:
    return Histories(timescale_databases)


@pytest.fixture(scope="session")
def plain_histories(plain_databases: Databases) -> Histories:
    return Histories(plain_databases)


@pytest.fixture(params=["hypertable", "plain"])
def history(request: pytest.FixtureRequest) -> Iterator[str]:
    """A log of four days."""
    histories = {"hypertable": "timescale_histories", "plain": "plain_histories"}[request.param]
    with request.getfixturevalue(histories).fresh() as conninfo:
        yield conninfo
