"""Where events are read from: the live log, archive files, or the files first and then the log.

Each is an `EventSource`: recorded events in the order of commits, in memory that does not grow. A live log that is
followed does not end. It needs no listener for that: a claim notifies nobody but the units it concerns, so a follower
looks by itself, a few times a second, with one index probe.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from itertools import chain
from pathlib import Path
from typing import Protocol

from nodeunit.audit.archive import read_archive
from nodeunit.domain.events import SNAPSHOT_NAMES
from nodeunit.domain.upcasting import stored_names
from nodeunit.errors import DatabaseError
from nodeunit.store.read import search
from nodeunit.store.read.log_reader import BEGINNING, Checkpoint, RecordedEvent
from nodeunit.store.read.search import BATCH, Seen, Wanted

log = logging.getLogger(__name__)

LOOK_EVERY_S = 0.25
RECONNECT_AFTER_S = (0.1, 0.2, 0.5, 1.0, 2.0)
"""While following: how long to wait before each attempt to connect again; the last one for ever."""


class EventSource(Protocol):
    """Recorded events in the order of commits. Who stops before the end closes it (`contextlib.aclosing`)."""

    def __aiter__(self) -> AsyncGenerator[RecordedEvent, None]: ...


class LiveLog:
    """The log of a database, or what of it is wanted. With `follow` it goes on, without gap or repetition.

    With `seen` there is no history: it follows what that snapshot did not show. Raises what `connect` raises; but a
    database that goes away while it is followed is waited for.
    """

    def __init__(self, conninfo: str, wanted: Wanted, *, follow: bool = False, seen: Seen | None = None) -> None:
        self._conninfo = conninfo
        self._wanted = wanted
        self._follow = follow
        self._seen = seen

    async def __aiter__(self) -> AsyncGenerator[RecordedEvent, None]:
        if self._seen is not None:
            async with aclosing(self._sequel(Checkpoint(self._seen.below))) as events:
                async for event in events:
                    if not self._seen.has(event):
                        yield event
        after = BEGINNING
        async with await search.open_log(self._conninfo, "replay") as connection:
            try:
                below = await search.horizon(connection)
                async with aclosing(search.history(connection, self._wanted, below)) as events:
                    async for event in events:
                        after = event.checkpoint()
                        yield event
                after = Checkpoint(below)
            except DatabaseError as error:
                if not self._follow:
                    raise
                log.warning("reading is interrupted: %s", error)
        if self._follow:
            async with aclosing(self._sequel(after)) as events:
                async for event in events:
                    yield event

    async def _sequel(self, after: Checkpoint) -> AsyncGenerator[RecordedEvent, None]:
        """Everything that is committed after a checkpoint."""
        failures = 0
        while True:
            try:
                async with await search.open_log(self._conninfo, "follow") as connection:
                    while True:
                        below = await search.horizon(connection)
                        failures, events = 0, None
                        while events is None or len(events) == BATCH:
                            events = await search.sequel(connection, self._wanted, after, below)
                            for event in events:
                                after = event.checkpoint()
                                yield event
                        after = max(after, Checkpoint(below))
                        await asyncio.sleep(LOOK_EVERY_S)
            except DatabaseError as error:
                log.warning("following is interrupted: %s", error)
            await asyncio.sleep(RECONNECT_AFTER_S[min(failures, len(RECONNECT_AFTER_S) - 1)])
            failures += 1


class ArchiveFiles:
    """Archive files, in the order given, which is that of their time. Raises InputFileInvalid for a damaged one."""

    def __init__(self, paths: Sequence[Path], wanted: Wanted) -> None:
        self._paths = paths
        self._wanted = wanted
        self.names: dict[str, str] = {}
        """What the units are called that joined in what was read, by address."""

    async def __aiter__(self) -> AsyncGenerator[RecordedEvent, None]:
        for event in chain.from_iterable(map(read_archive, self._paths)):
            if event.type in ("UnitJoined", *stored_names("UnitSnapshot")):
                self.names[event.unit_address] = getattr(event.event(), "name", "")
            if self._wanted.has(event):
                yield event


class InTurn:
    """Archive files and then the live log.

    Snapshots in the live log stand for events of the files and are left out. Events that are in both, because an
    archiving was interrupted, come once.
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
