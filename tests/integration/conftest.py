"""The pool of a daemon, logins with few rights, and logs of several days."""

import secrets
from collections.abc import AsyncIterator, Callable, Iterator

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import make_conninfo

from nodeunit.store.postgres import connections
from nodeunit.store.postgres.connections import Pool
from tests.support.databases import Databases
from tests.support.histories import Histories


@pytest.fixture
async def pool(database: str) -> AsyncIterator[Pool]:
    """Made as the daemon makes it, open."""
    async with connections.pool(database, "test", max_size=4) as opened:
        yield opened


Login = Callable[..., str]


@pytest.fixture
def login(database: str) -> Iterator[Login]:
    """`login("nodeunit_unit")`: the conninfo of a login that has only these roles."""
    made: list[sql.Identifier] = []

    def make(*roles: str) -> str:
        name, password = f"test_{secrets.token_hex(6)}", secrets.token_hex(12)
        made.append(sql.Identifier(name))
        with psycopg.connect(database, autocommit=True) as administrator:
            administrator.execute(sql.SQL("create role {} login password {}").format(made[-1], sql.Literal(password)))
            for role in roles:
                administrator.execute(sql.SQL("grant {} to {}").format(sql.Identifier(role), made[-1]))
        return make_conninfo(database, user=name, password=password)

    yield make
    with psycopg.connect(database, autocommit=True) as administrator:
        for role in made:
            administrator.execute(sql.SQL("drop owned by {} cascade").format(role))
            administrator.execute(sql.SQL("drop role {}").format(role))


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
