"""Process events on their way to the log: in order, none lost, and nobody waits for them.

While the database is away programs start and end all the same; what happened is kept here and written when it is back.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from itertools import islice, takewhile
from typing import NamedTuple
from uuid import UUID

from nodeunit.domain.events import Event
from nodeunit.store.write.decisions import DecisionStream

GATHER_S = 0.05
"""A burst is gathered for so long before it is written."""

MOST_AT_ONCE = 100
"""So many events at most go into one append."""


class _Entry(NamedTuple):
    event: Event
    event_id: UUID | None
    """Given when another daemon may have written it already."""
    on_written: Callable[[], None] | None


class Outbox:
    """Keeps process events until they are in the log."""

    def __init__(self) -> None:
        self._entries: deque[_Entry] = deque()
        self._arrived = asyncio.Event()
        self._emptied = asyncio.Event()
        self._emptied.set()

    def put(self, event: Event, *, event_id: UUID | None = None, on_written: Callable[[], None] | None = None) -> None:
        """Takes an event. With an `event_id` it is looked up first, for another daemon may have written it already;
        `on_written` is called when it is in the log.
        """
        self._entries.append(_Entry(event, event_id, on_written))
        self._emptied.clear()
        self._arrived.set()

    async def run(self, decisions: DecisionStream) -> None:
        """Writes until cancelled. What a fenced epoch could not write is written by the next one.

        A burst of starts is written as one: while it lasts the stream belongs to the claims.
        """
        while True:
            if not self._entries:
                await self._arrived.wait()
            await asyncio.sleep(GATHER_S)
            self._arrived.clear()
            while self._entries:
                await self._write_first(decisions)
            self._emptied.set()

    async def _write_first(self, decisions: DecisionStream) -> None:
        """Writes the entries up to the first that must be looked up, or that one alone."""
        first = self._entries[0]
        if first.event_id is None:
            batch = list(takewhile(lambda entry: entry.event_id is None, islice(self._entries, MOST_AT_ONCE)))
            await decisions.append(*(entry.event for entry in batch))
        else:
            batch = [first]
            if not await decisions.is_recorded(first.event_id):
                await decisions.append(first.event, event_id=first.event_id)
        for entry in batch:
            self._entries.popleft()
            if entry.on_written is not None:
                entry.on_written()

    async def wait_until_empty(self) -> None:
        """Returns when everything that was written here is in the log."""
        await self._emptied.wait()
