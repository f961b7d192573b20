"""Logins of the database with few rights, as an administrator makes them."""

import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo

Login = Callable[..., str]
"""`login("nodeunit_reader")`: the conninfo of a new login that has only these roles; with `unit="…"` it
is that unit."""


@contextmanager
def logins(database: str) -> Iterator[Login]:
    """Makes logins, and removes them at the end with all that they own."""
    made: list[sql.Identifier] = []

    def make(*roles: str, unit: str = "") -> str:
        name, password = f"test_{secrets.token_hex(6)}", secrets.token_hex(12)
        made.append(sql.Identifier(name))
        with psycopg.connect(database, autocommit=True) as administrator:
            administrator.execute(sql.SQL("create role {} login password {}").format(made[-1], sql.Literal(password)))
            for role in roles:
                administrator.execute(sql.SQL("grant {} to {}").format(sql.Identifier(role), made[-1]))
            if unit:
                administrator.execute("select enroll_unit(%s, null, %s)", (name, unit))
        return make_conninfo(database, user=name, password=password)

    yield make
    with psycopg.connect(database, autocommit=True) as administrator:
        for role in made:
            administrator.execute(sql.SQL("drop owned by {} cascade").format(role))
            administrator.execute(sql.SQL("drop role {}").format(role))
