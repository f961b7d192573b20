"""Process events on their way to the log: in order, none lost, and nobody waits for them.

While the database is away programs start and end all the same; what happened is kept here and written when it is back.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from uuid import UUID

from nodeunit.domain.events import Event
from nodeunit.store.connections import Pool
from nodeunit.store.decisions import DecisionStream, is_recorded


class Journal:
    """Keeps process events until they are in the log."""

    def __init__(self) -> None:
        self._events: deque[tuple[Event, UUID | None, Callable[[], None] | None]] = deque()
        self._arrived = asyncio.Event()
        self._emptied = asyncio.Event()
        self._emptied.set()

    def write(self, event: Event, *, event_id: UUID | None = None, then: Callable[[], None] | None = None) -> None:
        """Takes an event. With an `event_id` it is looked up first, for another daemon may have written it already;
        `then` is called when it is in the log.
        """
        self._events.append((event, event_id, then))
        self._emptied.clear()
        self._arrived.set()

    async def run(self, pool: Pool, decisions: DecisionStream) -> None:
        """Writes until cancelled. What a fenced epoch could not write is written by the next one."""
        while True:
            while self._events:
                event, event_id, then = self._events[0]
                if event_id is None or not await is_recorded(pool, event_id):
                    await decisions.append(event, event_id=event_id)
                self._events.popleft()
                if then is not None:
                    then()
            self._emptied.set()
            self._arrived.clear()
            await self._arrived.wait()

    async def empty(self) -> None:
        """Returns when everything that was written here is in the log."""
        await self._emptied.wait()
