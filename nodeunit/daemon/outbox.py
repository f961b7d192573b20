"""Process events on their way to the log: in order, without loss, and without making other modules wait.

Programs also start and end during an outage of the database. Their events are kept here and written later.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice
from uuid import UUID, uuid4

from nodeunit.domain.event import Event
from nodeunit.store.write.decisions import DecisionStream

GATHER_S = 0.05
"""How long a burst is gathered before it is written."""

MOST_AT_ONCE = 100
"""The most events of one append."""


@dataclass
class _Entry:
    event: Event
    event_id: UUID
    maybe_written: bool
    on_written: Callable[[], None] | None


class Outbox:
    """Keeps process events until they are in the log."""

    def __init__(self) -> None:
        self._entries: deque[_Entry] = deque()
        self._arrived = asyncio.Event()
        self._emptied = asyncio.Event()
        self._emptied.set()

    def put(
        self,
        event: Event,
        *,
        event_id: UUID | None = None,
        maybe_written: bool = False,
        on_written: Callable[[], None] | None = None,
    ) -> None:
        """Accepts an event. `maybe_written`: another daemon may have written it already, under this `event_id`; it is
        looked up first. `on_written` is called when it is in the log.
        """
        self._entries.append(_Entry(event, event_id or uuid4(), maybe_written, on_written))
        self._emptied.clear()
        self._arrived.set()

    async def run(self, decisions: DecisionStream) -> None:
        """Writes until cancelled. What a fenced epoch could not write is written by the next one.

        A burst of starts is written in one append, because the claims need the same stream.
        """
        while True:
            if not self._entries:
                await self._arrived.wait()
            await asyncio.sleep(GATHER_S)
            self._arrived.clear()
            while self._entries:
                await self._write_batch(decisions)
            self._emptied.set()

    async def _write_batch(self, decisions: DecisionStream) -> None:
        batch = list(islice(self._entries, MOST_AT_ONCE))
        in_doubt = [entry.event_id for entry in batch if entry.maybe_written]
        written = await decisions.recorded(in_doubt) if in_doubt else set()
        unwritten = [entry for entry in batch if entry.event_id not in written]
        for entry in unwritten:
            entry.maybe_written = True  # an append that is cancelled may still be committed
        await decisions.append(*(entry.event for entry in unwritten), event_ids=[entry.event_id for entry in unwritten])
        for entry in batch:
            self._entries.popleft()
            if entry.on_written is not None:
                entry.on_written()

    async def wait_until_empty(self) -> None:
        """Returns when everything that was put here is in the log."""
        await self._emptied.wait()
