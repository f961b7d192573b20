"""Sources of events: the live log, archive files, or the files first and then the log.

Each is an `EventSource`: recorded events in commit order, in constant memory. A followed live log does not end. A
follower polls with one index probe a few times per second, because a claim notifies only the units that it concerns.
"""

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from itertools import chain
from pathlib import Path
from typing import Protocol

from nodeunit.audit.archive import read_archive
from nodeunit.domain.events import SNAPSHOT_NAMES
from nodeunit.domain.upcasting import stored_names
from nodeunit.errors import DatabaseError
from nodeunit.store.postgres.connections import Connection
from nodeunit.store.read import event_log
from nodeunit.store.read.event_log import (
    BATCH,
    BEGINNING,
    EVERYTHING,
    Checkpoint,
    EventFilter,
    RecordedEvent,
    TransactionSnapshot,
)
from nodeunit.store.read.held_back import held_back

log = logging.getLogger(__name__)

UNIT_NAMED_BY = frozenset({"UnitJoined", *stored_names("UnitSnapshot")})
"""The types of events that have the name of a unit."""

POLL_INTERVAL_S = 0.25
SAY_AFTER_S = 2.0
"""While following: how long the log may not advance before its reader asks why; doubled after each question."""
RECONNECT_AFTER_S = (0.1, 0.2, 0.5, 1.0, 2.0)
"""The pauses before each attempt to connect again while following; the last one is repeated."""


class EventSource(Protocol):
    """Recorded events in the order of commits. A reader that stops before the end closes it (`contextlib.aclosing`)."""

    def __aiter__(self) -> AsyncGenerator[RecordedEvent, None]: ...


class LiveLog:
    """The log of a database, or the part of it that a filter selects.

    With `follow` it continues after the history, without gap or repetition; the filter must then have no end bounds.
    With `after` there is no history: it begins with what that snapshot did not show. Raises what `connect` raises, but
    waits for a database that is lost while it is followed.
    """

    def __init__(
        self,
        conninfo: str,
        wanted: EventFilter = EVERYTHING,
        *,
        follow: bool = False,
        after: TransactionSnapshot | None = None,
        batch: int = BATCH,
    ) -> None:
        self._conninfo = conninfo
        self._wanted = wanted
        self._follow = follow
        self._after = after
        self._batch = batch
        """The number of new events that are read at once while following."""

    async def __aiter__(self) -> AsyncGenerator[RecordedEvent, None]:
        if self._after is not None:
            async with aclosing(self._new(Checkpoint(self._after.xmin))) as events:
                async for event in events:
                    if not self._after.shows(event):
                        yield event
        last: RecordedEvent | None = None
        async with await event_log.open_log(self._conninfo, "replay") as connection:
            try:
                below = await event_log.high_water_mark(connection)
                async with aclosing(event_log.stream(connection, self._wanted, below)) as events:
                    async for event in events:
                        last = event
                        yield event
                checkpoint = Checkpoint(below)
                if not self._follow:
                    await _say_who_holds_back(connection, below)
            except DatabaseError as error:
                if not self._follow:
                    raise
                log.warning("reading is interrupted: %s", error)
                checkpoint = last.checkpoint() if last else BEGINNING
        if self._follow:
            async with aclosing(self._new(checkpoint)) as events:
                async for event in events:
                    yield event

    async def _new(self, checkpoint: Checkpoint) -> AsyncGenerator[RecordedEvent, None]:
        """Everything that is committed after a checkpoint, without end."""
        failures = 0
        waiting = Waiting()
        while True:
            try:
                async with await event_log.open_log_to_follow(self._conninfo) as connection:
                    while True:
                        below = await event_log.high_water_mark(connection)
                        failures, events = 0, None
                        while events is None or len(events) == self._batch:
                            events = await event_log.read(connection, self._wanted, below, checkpoint, self._batch)
                            for event in events:
                                checkpoint = event.checkpoint()
                                yield event
                        checkpoint = max(checkpoint, Checkpoint(below))
                        await waiting.look(connection, below)
                        await asyncio.sleep(POLL_INTERVAL_S)
            except DatabaseError as error:
                log.warning("following is interrupted: %s", error)
            await asyncio.sleep(RECONNECT_AFTER_S[min(failures, len(RECONNECT_AFTER_S) - 1)])
            failures += 1


class Waiting:
    """A follower that waits for a transaction of others says so, because it looks as if nothing happened."""

    def __init__(self) -> None:
        self._below = 0
        self._since = time.monotonic()
        self._say_after_s = SAY_AFTER_S

    async def look(self, connection: Connection, below: int) -> None:
        """Called at each poll, with the high-water mark that the log was read up to."""
        if below != self._below:
            self._below, self._since, self._say_after_s = below, time.monotonic(), SAY_AFTER_S
        elif time.monotonic() - self._since > self._say_after_s:
            self._say_after_s *= 2
            await _say_who_holds_back(connection, below)


async def _say_who_holds_back(connection: Connection, below: int) -> None:
    if holder := await held_back(connection, below):
        log.warning("committed events are not shown before %s has ended", holder)


class ArchiveFiles:
    """Archive files in the given order, oldest first. Raises InputFileInvalid for a damaged one."""

    def __init__(self, paths: Sequence[Path], wanted: EventFilter = EVERYTHING) -> None:
        self._paths = paths
        self._wanted = wanted
        self.names: dict[str, str] = {}
        """The name of each unit whose join was read, by address."""

    async def __aiter__(self) -> AsyncGenerator[RecordedEvent, None]:
        for event in chain.from_iterable(map(read_archive, self._paths)):
            if event.type in UNIT_NAMED_BY:
                self.names[event.unit_address] = getattr(event.event(), "name", "")
            if self._wanted.matches(event):
                yield event


class ArchivesThenLog:
    """Archive files and then the live log.

    Snapshots in the live log replace events of the files and are left out. Events that are in both, because archiving
    was interrupted, are returned once.
    """

    def __init__(self, files: EventSource, live: EventSource) -> None:
        self._files = files
        self._live = live

    async def __aiter__(self) -> AsyncGenerator[RecordedEvent, None]:
        newest = None
        async with aclosing(aiter(self._files)) as events:
            async for event in events:
                newest = event.recorded_at if newest is None else max(newest, event.recorded_at)
                yield event
        async with aclosing(aiter(self._live)) as events:
            async for event in events:
                if newest is None or (event.recorded_at > newest and event.type not in SNAPSHOT_NAMES):
                    yield event
