"""Databases with a history of several days, made once and copied for each test."""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property

import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo

from tests.support.chunks import chunks_of_a_day
from tests.support.databases import Databases
from tools import synthetic_log


class Histories:
    """Copies of one synthetic log: 3,000 events of 3 units and 20 rows in the last four days, usage of 30 hours."""

    def __init__(self, databases: Databases) -> None:
        self._databases = databases

    @contextmanager
    def fresh(self) -> Iterator[str]:
        """The conninfo of a copy, dropped at the end."""
        name = f"history_{secrets.token_hex(6)}"
        self._execute("create database {} template {} strategy file_copy", name, self._original)
        try:
            yield make_conninfo(self._databases.administrator, dbname=name)
        finally:
            self._execute("drop database {} with (force)", name)

    @cached_property
    def _original(self) -> str:
        name = f"history_{secrets.token_hex(6)}"
        with self._databases.fresh() as conninfo:
            chunks_of_a_day(conninfo)
            synthetic_log.load(conninfo, events=3000, units=3, deployments=20, days=4, usage_hours=30)
            self._execute("create database {} template {}", name, psycopg.conninfo.conninfo_to_dict(conninfo)["dbname"])
        return name

    def _execute(self, statement: str, *names: object) -> None:
        with psycopg.connect(self._databases.administrator, autocommit=True) as connection:
            connection.execute(sql.SQL(statement).format(*(sql.Identifier(str(name)) for name in names)))
