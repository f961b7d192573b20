"""Reading the log in the order of commits, without skipping and without waiting for writers.

Positions are taken in one order and committed in another: a reader that remembers the last position it saw can pass an
event that is committed later. So the checkpoint is (transaction id, position), and only transactions below the
snapshot's xmin are read: all of those have ended. The price: a write transaction left open holds readers back.

`read` and `read_all` go on from a checkpoint, batch by batch. `scan` reads the whole log for a fold, in one statement
and several times as fast: the server writes each row as a line of JSON, and one call of msgspec makes a row of it with
its typed event. Rows are not gathered, for that alone doubles the time: what is dropped at once costs no collection.
"""

from collections.abc import AsyncGenerator, AsyncIterator
from datetime import datetime
from typing import Any, NamedTuple, Union, cast
from uuid import UUID

import msgspec
from psycopg import AsyncConnection
from psycopg.rows import DictRow, tuple_row

from nodeunit.domain.events import EVENT_TYPES, SCHEMA_VERSION, Event, Unknown, decode
from nodeunit.store.connections import Pool, explained
from nodeunit.store.queries import QUERIES


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
        """The typed event; one of an unknown type or a newer schema version comes back as it is."""
        return decode(self.type, self.data, self.schema_version)

    def checkpoint(self) -> Checkpoint:
        """Where a reader goes on after this event."""
        return Checkpoint(self.transaction_id, self.position)


async def read(pool: Pool, after: Checkpoint = BEGINNING, limit: int = 1000) -> list[RecordedEvent]:
    """The next events in commit order; fewer than `limit` when the end of what is certain is reached."""
    async with explained(), pool.connection() as connection, connection.cursor(row_factory=tuple_row) as cursor:
        await cursor.execute(
            QUERIES["events_after"],
            {"transaction_id": str(after.transaction_id), "position": after.position, "limit": limit},
        )
        return [RecordedEvent(*row) for row in await cursor.fetchall()]


async def read_all(pool: Pool, after: Checkpoint = BEGINNING, batch: int = 1000) -> AsyncIterator[RecordedEvent]:
    """Every event from a checkpoint to the present end, in batches: memory does not grow with the log."""
    while events := await read(pool, after, batch):
        for event in events:
            yield event
        after = events[-1].checkpoint()


class TypedEvent(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """One row of the log with its event, decoded. The line that it is read from has the type before all this."""

    position: int
    recorded_at: datetime
    transaction_id: int
    stream_id: str
    stream_version: int
    deployment_id: UUID | None
    unit_address: str
    schema_version: int
    event: Any
    """The typed event; one of an unknown type or a newer schema version as `Unknown`."""


class _Untyped(msgspec.Struct, array_like=True, frozen=True):
    type: str
    position: int
    recorded_at: datetime
    transaction_id: int
    stream_id: str
    stream_version: int
    deployment_id: UUID | None
    unit_address: str
    schema_version: int
    data: msgspec.Raw


_TYPED: msgspec.json.Decoder[TypedEvent] = msgspec.json.Decoder(
    cast(
        type[TypedEvent],
        Union[  # noqa: UP007  # made at run time, of one row type for each event type, told apart by the first element
            tuple(
                msgspec.defstruct(f"{name}Row", [("event", kind)], bases=(TypedEvent,), tag=name, frozen=True, gc=False)
                for name, kind in EVENT_TYPES.items()
            )
        ],
    )
)
_UNTYPED = msgspec.json.Decoder(_Untyped)


def decode_line(line: bytes | bytearray | memoryview) -> TypedEvent:
    """A row as `scan` reads it. Raises EventUndecodable for an event that has not the shape of its type."""
    try:
        row = _TYPED.decode(line)
        if row.schema_version <= SCHEMA_VERSION:
            return row
    except msgspec.ValidationError:
        pass  # a type that is not known here, or one that is and has another shape: decode knows which
    given = _UNTYPED.decode(line)
    return TypedEvent(
        given.position,
        given.recorded_at,
        given.transaction_id,
        given.stream_id,
        given.stream_version,
        given.deployment_id,
        given.unit_address,
        given.schema_version,
        decode(given.type, bytes(given.data), given.schema_version),
    )


async def scan(
    connection: AsyncConnection[DictRow], *, until: datetime | None = None, position: int | None = None
) -> AsyncGenerator[TypedEvent, None]:
    """Every event of the log, decoded, in commit order and from one snapshot; or what of it had been recorded by a
    moment, or up to a position. Close it (`contextlib.aclosing`) where it is not read to its end.
    """
    bounds = {"until": until or "infinity", "position": position}
    async with explained(), connection.cursor() as cursor, cursor.copy(QUERIES["typed_events"], bounds) as copy:
        async for line in copy:
            yield decode_line(line)
