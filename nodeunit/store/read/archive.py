"""The log's side of an archive: where the log can be cut, what lies before the cut, and the switch to a file.

The switch is one transaction: it holds off late writers, compares the log with what the file was written from, appends
a snapshot of each remaining stream and the event that names the file, and drops what is archived. So at any time
everything is in the log or, verified, in the file, and an interrupted archive can be run again.
"""

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Any

import msgspec
from psycopg import AsyncConnection, IsolationLevel
from psycopg.rows import DictRow

from nodeunit.domain.event_json import decode
from nodeunit.domain.snapshot_events import LogArchived
from nodeunit.errors import DatabaseError, EventUndecodable
from nodeunit.store.postgres.connections import translate_errors
from nodeunit.store.postgres.lock_wait import Holder
from nodeunit.store.postgres.queries import QUERIES
from nodeunit.store.postgres.requirements import connect_to_schema

SETTINGS = {"work_mem": "64MB", "lock_timeout": "10s"}
"""The wait for a reader of the old chunks is limited, because other sessions wait behind this one."""


class Extent(msgspec.Struct, frozen=True):
    """What lies before a moment in the log."""

    before: datetime
    events: int
    first_position: int
    last_position: int
    first_recorded_at: datetime
    last_recorded_at: datetime
    digest: int
    """The digest of all rows; it shows that a file holds them."""


class RolledUp(msgspec.Struct, frozen=True):
    """Which usage samples were replaced by hourly rows."""

    cut: datetime | None
    """Samples before it are gone; None if there were none."""
    samples: int
    hours: int
    """The rows of usage_hourly that replace them."""


class LogSnapshot:
    """The log at one moment, to write a file from."""

    def __init__(self, connection: AsyncConnection[DictRow]) -> None:
        self._connection = connection

    async def extent(self, before: datetime) -> Extent | None:
        """What can be archived of what lies before; None if nothing can. The cut may be earlier than requested, because
        a hypertable drops whole chunks and no transaction is cut in two.
        """
        row = await self._row("archivable_before", before=before)
        return await self.extent_of_file(row["before"]) if row["before"] else None

    async def extent_of_file(self, before: datetime) -> Extent | None:
        """What lies before a cut that was made earlier."""
        row = await self._row("events_before", before=before)
        return Extent(before=before, **row) if row["events"] else None

    async def lines(self, extent: Extent) -> AsyncGenerator[bytes, None]:
        """Each event as a line of JSON, in commit order. Memory does not grow with the log. Close the generator if it
        is not read to its end.
        """
        cursor = self._connection.cursor()
        async with cursor.copy(QUERIES["copy_events_before"], {"before": extent.before}) as copy:
            async for line in copy:
                yield bytes(line)

    async def _row(self, query: str, **parameters: Any) -> DictRow:
        row = await (await self._connection.execute(QUERIES[query], parameters)).fetchone()
        assert row is not None
        return row


class Archiver:
    """The only archiver of a log; made by `archiving`."""

    def __init__(self, connection: AsyncConnection[DictRow], *, now: datetime, hypertable: bool, database: str) -> None:
        self._connection = connection
        self.now = now
        """When it began, by the database's clock."""
        self.hypertable = hypertable
        self.database = database

    def moment(self, given: datetime | timedelta) -> datetime:
        """The given time, or the time that long ago."""
        return given if isinstance(given, datetime) else self.now - given

    @asynccontextmanager
    async def snapshot(self) -> AsyncIterator[LogSnapshot]:
        """Everything read in the block is of one time."""
        await self._connection.set_isolation_level(IsolationLevel.REPEATABLE_READ)
        await self._connection.set_read_only(True)
        try:
            async with translate_errors(), self._connection.transaction():
                yield LogSnapshot(self._connection)
        finally:
            await self._connection.set_isolation_level(None)
            await self._connection.set_read_only(None)

    async def last(self) -> LogArchived | None:
        """The newest archive of this log, which lists those before it. Raises EventUndecodable."""
        async with translate_errors():
            row = await (await self._connection.execute(QUERIES["last_archive"])).fetchone()
        if row is None:
            return None
        event = decode(LogArchived.__name__, row["data"], row["schema_version"])
        if not isinstance(event, LogArchived):
            raise EventUndecodable(
                f"the newest LogArchived event has schema version {row['schema_version']}, and this nodeunit knows"
                f" {LogArchived.schema_version}: upgrade nodeunit"
            )
        return event

    async def switch(self, extent: Extent, file: str, sha256: str, at_step: Callable[[str], None]) -> int:
        """Appends snapshots and drops what the file has, in one transaction. Returns the number of snapshots.

        Raises DatabaseError if the log before the cut is not what the file was written from, or if another session
        keeps reading the old chunks; then nothing has changed.
        """
        parameters = {"before": extent.before, "file": file, "sha256": sha256, "events": extent.events}
        async with translate_errors(), self._connection.transaction():
            snapshots = await self._value("append_snapshots", **parameters, digest=extent.digest)
            at_step("snapshots appended")
            await self._value("drop_archived_events", sha256=sha256)
            at_step("dropped")
        at_step("committed")
        return int(snapshots)

    async def usage_extent(self, before: datetime) -> RolledUp:
        """What `roll_up` would take."""
        async with translate_errors():
            row = await (
                await self._connection.execute(QUERIES["usage_archivable_before"], {"before": before})
            ).fetchone()
        assert row is not None
        return RolledUp(row["cut"], row["samples"], 0)

    async def roll_up(self, before: datetime) -> RolledUp:
        """Replaces usage samples by their hours, in one transaction."""
        async with translate_errors():
            row = await (await self._connection.execute(QUERIES["roll_up_usage"], {"before": before})).fetchone()
        assert row is not None
        return RolledUp(**row)

    async def _value(self, query: str, **parameters: Any) -> Any:
        row = await (await self._connection.execute(QUERIES[query], parameters)).fetchone()
        assert row is not None
        (value,) = row.values()
        return value


PREDECESSOR_S = 3.0
"""The server may take a moment to notice that the client of a killed archive is gone."""

POLL_INTERVAL_S = 0.1


@asynccontextmanager
async def archiving(conninfo: str) -> AsyncIterator[Archiver]:
    """Connects and excludes other archives. Raises what `connect` raises, and DatabaseError while one runs."""
    async with (
        await connect_to_schema(conninfo, "archive", SETTINGS, writes=True) as connection,
        translate_errors(conninfo),
    ):
        give_up_at = time.monotonic() + PREDECESSOR_S
        while True:
            row = await (await connection.execute(QUERIES["take_archive_lock"])).fetchone()
            assert row is not None
            if row["taken"]:
                break
            if time.monotonic() > give_up_at:
                found = await (await connection.execute(QUERIES["archive_lock_holders"])).fetchall()
                who = " and ".join(str(Holder(**row)) for row in found) or "a session that has just ended"
                raise DatabaseError(f"another nodeunit archive runs on this log: {who}; wait until it ends, or end it")
            await asyncio.sleep(POLL_INTERVAL_S)
        yield Archiver(connection, now=row["now"], hypertable=row["hypertable"], database=row["database"])
