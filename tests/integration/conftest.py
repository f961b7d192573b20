"""The pool of a daemon, and logins with few rights, on the database of the test."""

import secrets
from collections.abc import AsyncIterator, Callable, Iterator

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import make_conninfo

from nodeunit.store.postgres import connections
from nodeunit.store.postgres.connections import Pool


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
