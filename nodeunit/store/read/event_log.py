"""The reader of the event log: streams history in constant memory, then follows, without gap or repetition.

Positions are taken in one order and committed in another: a reader that remembers the last position it saw can miss an
event that is committed later. So events are read in the order of commits, by (transaction id, position), and only below
a high-water mark: the oldest running transaction. Everything below it has ended and can no longer change; what is at or
above it is read later, when the mark has risen. The price is that a write transaction left open delays every reader.
"""

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager
from datetime import datetime
from typing import NamedTuple, cast
from uuid import UUID

import msgspec
from psycopg import capabilities
from psycopg.rows import args_row

from nodeunit.domain.event import Event
from nodeunit.domain.event_json import decode
from nodeunit.domain.events import Unknown
from nodeunit.store.postgres.connections import Connection, translate_errors
from nodeunit.store.postgres.queries import QUERIES
from nodeunit.store.postgres.requirements import connect_to_schema

BATCH = 1000
"""The number of events fetched together."""

SHORT_QUERIES = {"jit": "off", "max_parallel_workers_per_gather": "0", "work_mem": "64MB"}
"""With many chunks a plan looks expensive, and compiling it or starting workers takes longer than running it."""

FOLLOWING = {**SHORT_QUERIES, "enable_sort": "off"}
"""A follower must read a batch and no more, so the rows must come from the index in their order. The planner may expect
few new rows where there are many, and would read and sort them all when one chunk is too small for its index to pay.
"""


class Checkpoint(NamedTuple):
    """How far a reader has come."""

    transaction_id: int = 0
    position: int = 0


BEGINNING = Checkpoint()


class RecordedEvent(msgspec.Struct, frozen=True):
    """One row of the log. `data` is its JSON text; `event()` decodes it."""

    position: int
    recorded_at: datetime
    transaction_id: int
    event_id: UUID
    stream_id: str
    stream_version: int
    type: str
    deployment_id: UUID | None
    unit_address: str
    schema_version: int
    data: str

    def event(self) -> Event | Unknown:
        """The typed event; one of an unknown type or a newer schema version is returned unchanged.

        Raises EventUndecodable.
        """
        return decode(self.type, self.data, self.schema_version)

    def checkpoint(self) -> Checkpoint:
        """Where a reader continues after this event."""
        return Checkpoint(self.transaction_id, self.position)


class EventFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which events are read; a field that is not set excludes nothing."""

    since: datetime | None = None
    """From this time on."""
    until: datetime | None = None
    """Before this time."""
    at: datetime | None = None
    """Recorded up to and including this time."""
    position: int | None = None
    """The last position."""
    types: list[str] | None = None
    without: list[str] | None = None
    """Types that are left out; unknown types are never left out."""
    deployment_id: UUID | None = None
    unit_address: str | None = None

    def matches(self, event: RecordedEvent) -> bool:
        """The same filter, applied to an event that does not come from a database."""
        return (
            (self.since is None or event.recorded_at >= self.since)
            and (self.until is None or event.recorded_at < self.until)
            and (self.at is None or event.recorded_at <= self.at)
            and (self.position is None or event.position <= self.position)
            and (self.types is None or event.type in self.types)
            and (self.without is None or event.type not in self.without)
            and (self.deployment_id is None or event.deployment_id == self.deployment_id)
            and (self.unit_address is None or event.unit_address == self.unit_address)
        )


EVERYTHING = EventFilter()


class TransactionSnapshot(NamedTuple):
    """Which transactions a snapshot of the database shows: a pg_snapshot in the transaction ids of the log."""

    xmin: int
    """Every transaction below it had ended."""
    xmax: int
    """No transaction from it on had begun."""
    in_progress: frozenset[int]
    """The transactions in between that had not ended."""

    def shows(self, event: RecordedEvent) -> bool:
        """Whether the snapshot shows the event."""
        writer = event.transaction_id
        return writer < self.xmin or (writer < self.xmax and writer not in self.in_progress)


async def open_log(conninfo: str, purpose: str) -> Connection:
    """A connection for reading the log. Raises what `connect` raises."""
    return await connect_to_schema(conninfo, purpose, SHORT_QUERIES)


async def open_log_to_follow(conninfo: str) -> Connection:
    """A connection for `read`, which reads on from a checkpoint. Raises what `connect` raises."""
    return await connect_to_schema(conninfo, "follow", FOLLOWING)


@asynccontextmanager
async def one_snapshot(connection: Connection) -> AsyncIterator[TransactionSnapshot]:
    """Everything in the block is read in one snapshot, which says what events it shows."""
    async with translate_errors(), connection.transaction():
        await connection.execute(QUERIES["one_snapshot"])
        row = await (await connection.execute(QUERIES["transaction_snapshot"])).fetchone()
        assert row is not None
        yield TransactionSnapshot(row["xmin"], row["xmax"], frozenset(row["in_progress"]))


async def high_water_mark(connection: Connection) -> int:
    """The transaction below which the log can be read now: everything below it has ended."""
    async with translate_errors():
        row = await (await connection.execute(QUERIES["high_water_mark"])).fetchone()
    assert row is not None
    return int(row["high_water_mark"])


async def stream(
    connection: Connection, wanted: EventFilter, below: int, after: Checkpoint = BEGINNING
) -> AsyncGenerator[RecordedEvent, None]:
    """Every event after a checkpoint and below a high-water mark, in commit order, as fast as the caller reads."""
    async with translate_errors(), connection.cursor(row_factory=args_row(RecordedEvent)) as cursor:
        # The server continues to read while the caller processes the events it has sent.
        size = BATCH if capabilities.has_stream_chunked() else 1
        parameters = _parameters(wanted, below, after, None)
        rows = cursor.stream(QUERIES["events_between"], parameters, binary=True, size=size)
        async with aclosing(cast("AsyncGenerator[RecordedEvent, None]", rows)) as events:
            async for event in events:
                yield event


async def read(
    connection: Connection, wanted: EventFilter, below: int, after: Checkpoint = BEGINNING, limit: int = BATCH
) -> list[RecordedEvent]:
    """The next events after a checkpoint and below a high-water mark; fewer than `limit` if there are no more."""
    async with translate_errors(), connection.cursor(row_factory=args_row(RecordedEvent)) as cursor:
        await cursor.execute(QUERIES["events_between"], _parameters(wanted, below, after, limit))
        return await cursor.fetchall()


async def newest(connection: Connection, wanted: EventFilter, limit: int) -> list[RecordedEvent]:
    """The newest events that are committed, the last one last."""
    async with translate_errors(), connection.cursor(row_factory=args_row(RecordedEvent)) as cursor:
        await cursor.execute(QUERIES["newest_events"], msgspec.structs.asdict(wanted) | {"limit": limit})
        return list(reversed(await cursor.fetchall()))


def _parameters(wanted: EventFilter, below: int, after: Checkpoint, limit: int | None) -> dict[str, object]:
    bounds = {
        "after_transaction_id": str(after.transaction_id),
        "after_position": after.position,
        "below": str(below),
        "limit": limit,
    }
    return msgspec.structs.asdict(wanted) | bounds
