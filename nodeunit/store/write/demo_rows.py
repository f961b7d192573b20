"""What `nodeunit demo` does in its database: insert its own rows, watch them and the fleet, and delete them again."""

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from datetime import datetime
from uuid import UUID

import msgspec
from psycopg import AsyncConnection
from psycopg.rows import DictRow

from nodeunit.errors import DemoFailed
from nodeunit.store.postgres.connections import connect, translate_errors
from nodeunit.store.postgres.queries import QUERIES


class UnitNow(msgspec.Struct, frozen=True):
    """A unit of the fleet at this moment."""

    address: str
    cpu_percent: float | None
    """None if it has not measured itself yet."""
    memory_mb: float | None
    claimed: int
    """The number of the demo's rows that it holds."""


class ProcessNow(msgspec.Struct, frozen=True):
    """The newest program of one of the demo's rows."""

    deployment_id: UUID
    address: str
    """The address of the unit that runs it."""
    pid: int
    start_time: int
    """Clock ticks since boot."""
    claim_version: int


class InstallsNow(msgspec.Struct, frozen=True):
    """The installations of the rows' package at this moment."""

    begun: int
    """Units that have begun one."""
    complete: int
    """Units that have it."""
    failure: str | None
    """What the last one that failed has said."""


class DemoRows:
    """The rows of one demo, over a connection of its own."""

    def __init__(self, connection: AsyncConnection[DictRow], started_at: datetime) -> None:
        self.started_at = started_at
        """The beginning of the demo by the database's clock."""
        self._connection = connection
        self._ids: list[UUID] = []

    async def insert(self, deployments: int, runtime: str) -> None:
        """Inserts the rows in one statement: those of the report (`npm`), or of a Python package (`python`).

        Their ids are known before anybody else sees the rows, so that an interrupted demo can delete them.
        """
        async with self._connection.transaction():
            await self._connection.execute(QUERIES[f"demo_insert_{runtime}"], {"deployments": deployments})
            cursor = await self._connection.execute(QUERIES["demo_inserted"])
            self.adopt([row["id"] for row in await cursor.fetchall()])

    def adopt(self, ids: Iterable[UUID]) -> None:
        """Counts rows as the demo's that somebody else inserts."""
        self._ids += ids

    async def units(self) -> list[UnitNow]:
        """The units in the fleet, by address."""
        cursor = await self._connection.execute(QUERIES["demo_units"], {"ids": self._ids})
        return [UnitNow(**row) for row in await cursor.fetchall()]

    async def processes(self) -> list[ProcessNow]:
        """The programs that were reported as started."""
        cursor = await self._connection.execute(QUERIES["demo_processes"], {"ids": self._ids})
        return [ProcessNow(**row) for row in await cursor.fetchall()]

    async def installs(self) -> InstallsNow:
        """How far the units are with the package of the rows."""
        row = await (await self._connection.execute(QUERIES["demo_installs"], {"ids": self._ids})).fetchone()
        assert row is not None
        return InstallsNow(**row)

    async def delete(self) -> None:
        """Deletes the rows; the log keeps what happened."""
        await self._connection.execute(QUERIES["demo_delete"], {"ids": self._ids})


async def refuse_occupied(conninfo: str) -> None:
    """Raises DemoFailed for a database with deployments or living units, before anything is changed in it."""
    async with await connect(conninfo, "demo") as connection, translate_errors(conninfo):
        row = await (await connection.execute(QUERIES["demo_tables"])).fetchone()
        if row is None or not row["there"]:
            return
        occupants = await (await connection.execute(QUERIES["demo_occupants"])).fetchone()
    assert occupants is not None
    if occupants["deployments"] or occupants["units"]:
        raise DemoFailed(
            f"the database is in use: {occupants['deployments']} deployments and {occupants['units']} living units are"
            " in it; give the demo an empty one with --database, or leave --database out"
        )


@asynccontextmanager
async def demo_rows(conninfo: str) -> AsyncIterator[DemoRows]:
    """The demo's part of a migrated database. Raises DemoFailed while another demo runs in it."""
    async with await connect(conninfo, "demo") as connection, translate_errors(conninfo):
        row = await (await connection.execute(QUERIES["demo_lock"])).fetchone()
        if row is None or not row["taken"]:
            raise DemoFailed("another demo runs in this database; wait until it ends, or use another database")
        yield DemoRows(connection, row["started_at"])
