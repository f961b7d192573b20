"""Reading the log in the order of commits, without skipping and without waiting for writers.

Positions are taken in one order and committed in another: a reader that remembers the last position it saw can pass an
event that is committed later. So the checkpoint is (transaction id, position), and only transactions below the
snapshot's xmin are read: all of those have ended. The price: a write transaction left open holds readers back.
"""

from collections.abc import AsyncIterator
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

import msgspec

from nodeunit.domain.events import Event, Unknown, decode
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
    async with explained(), pool.connection() as connection:
        cursor = await connection.execute(
            QUERIES["events_after"],
            {"transaction_id": str(after.transaction_id), "position": after.position, "limit": limit},
        )
        return [RecordedEvent(**row) for row in await cursor.fetchall()]


async def read_all(pool: Pool, after: Checkpoint = BEGINNING, batch: int = 1000) -> AsyncIterator[RecordedEvent]:
    """Every event from a checkpoint to the present end, in batches: memory does not grow with the log."""
    while events := await read(pool, after, batch):
        for event in events:
            yield event
        after = events[-1].checkpoint()
