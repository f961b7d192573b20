"""Reading the log in the order of commits, without skipping and without waiting for writers.

Positions are taken in one order and committed in another: a reader that remembers the last position it saw can pass an
event that is committed later. So the checkpoint is (transaction id, position), and only transactions below the
snapshot's xmin are read: all of those have ended. The price: a write transaction left open holds readers back.

`read` and `read_all` go on from a checkpoint, batch by batch. `scan` takes the whole log through a fold, several times
as fast: by COPY, which costs the server least; in a thread with a connection of its own, for a row costs asyncio more
than msgspec takes to decode it; and row by row, for what is dropped at once costs no garbage collection.
"""

import asyncio
import re
import threading
from collections.abc import AsyncIterator, Callable
from datetime import datetime
from functools import lru_cache
from typing import NamedTuple
from uuid import UUID

import msgspec
import psycopg
from psycopg.rows import tuple_row

from nodeunit.domain.event_json import DECODERS, decode
from nodeunit.domain.events import Event, Unknown
from nodeunit.store.postgres.connections import Pool, conninfo, translate_error, translate_errors
from nodeunit.store.postgres.queries import QUERIES


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
    async with translate_errors(), pool.connection() as connection, connection.cursor(row_factory=tuple_row) as cursor:
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


class ScannedEvent:
    """One row of the log as `scan` reads it: its typed event, and the columns, converted when they are asked for."""

    __slots__ = ("_columns", "event")

    def __init__(self, columns: list[bytes]) -> None:
        self._columns = columns
        data = columns[-1]
        if b"\\" in data:
            data = data.replace(b"\\\\", b"\\")  # JSON has no other characters that COPY escapes
        decoder = _DECODERS.get((columns[0], columns[1]))
        self.event: Event | Unknown
        """One of an unknown type or a newer schema version as `Unknown`."""
        try:
            self.event = decode(self.type, data, self.schema_version) if decoder is None else decoder(data)
        except msgspec.DecodeError:
            self.event = decode(self.type, data, self.schema_version)  # says what is wrong

    @property
    def type(self) -> str:
        return _text(self._columns[0])

    @property
    def schema_version(self) -> int:
        return int(self._columns[1])

    @property
    def position(self) -> int:
        return int(self._columns[2])

    @property
    def recorded_at(self) -> datetime:
        return datetime.fromisoformat(self._columns[3].decode())

    @property
    def transaction_id(self) -> int:
        return int(self._columns[4])

    @property
    def stream_id(self) -> str:
        return _text(self._columns[5])

    @property
    def stream_version(self) -> int:
        return int(self._columns[6])

    @property
    def deployment_id(self) -> UUID | None:
        text = self._columns[7]
        return None if text == b"\\N" else _uuid(text)

    @property
    def unit_address(self) -> str:
        return _text(self._columns[8])


_DECODERS = {(form.type.encode(), b"%d" % form.schema_version): decoder for form, decoder in DECODERS.items()}
"""By the columns as COPY writes them."""
_uuid = lru_cache(8192)(lambda text: UUID(text.decode()))
_ESCAPED = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}


def _text(column: bytes) -> str:
    """A column of COPY's text format without its escapes."""
    text = column.decode()
    return text if "\\" not in text else re.sub(r"\\(.)", lambda m: _ESCAPED.get(m[1], m[1]), text)


async def scan(
    given: str,
    each: Callable[[ScannedEvent], object],
    *,
    until: datetime | None = None,
    position: int | None = None,
) -> int:
    """Calls `each`, in a thread of its own, with every event of the log in commit order, from one snapshot; or with
    what of it had been recorded by a moment, or up to a position. Returns how many there were; memory does not grow.

    Raises EventUndecodable for an event that has not the shape of its type, and what `connect` raises.
    """
    over = threading.Event()
    try:
        return await asyncio.to_thread(_scan, given, each, until, position, over)
    finally:
        over.set()  # a thread cannot be cancelled


def _scan(
    given: str,
    each: Callable[[ScannedEvent], object],
    until: datetime | None,
    position: int | None,
    over: threading.Event,
) -> int:
    count = 0
    bounds = {"until": until or "infinity", "position": position}
    try:
        with psycopg.connect(conninfo(given, "scan"), autocommit=True, client_encoding="utf8") as connection:
            connection.execute(QUERIES["apply_settings"], {"settings": _SCANNING})
            with connection.cursor().copy(QUERIES["scanned_events"], bounds) as rows:
                for row in rows:
                    each(ScannedEvent(bytes(row).split(b"\t")))
                    count += 1
                    if not count % 1000 and over.is_set():
                        raise _NobodyWaits  # psycopg cancels the COPY for an exception only
    except _NobodyWaits:
        pass
    except psycopg.Error as error:
        raise translate_error(error, given) from error
    return count


class _NobodyWaits(Exception):
    """The scan was cancelled."""


_SCANNING = "-c DateStyle=ISO -c jit=off"
