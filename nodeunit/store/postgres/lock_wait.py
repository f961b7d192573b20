"""Waits for locks that other sessions hold, without letting units queue behind the waiting statement.

A statement that waits for a lock delays every later statement that needs it, including heartbeats. So each attempt
gives up after LOCK_TIMEOUT_S, which a heartbeat tolerates easily, is rolled back, and is repeated after a pause in
which the queued sessions proceed. A second connection finds the session that holds the lock, so that it can be named.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import datetime

import msgspec
from psycopg import AsyncConnection
from psycopg.errors import DeadlockDetected, LockNotAvailable
from psycopg.rows import DictRow

from nodeunit.errors import MigrationBlocked
from nodeunit.store.postgres.queries import QUERIES

LOCK_TIMEOUT_S = 0.2
SETTINGS = {"lock_timeout": f"{LOCK_TIMEOUT_S}s"}
PAUSE_S = 0.8
"""The pause between two attempts is long, so that mostly no session is queued."""
LOOK_EVERY_S = 0.04
SAY_AGAIN_AFTER_S = 10.0

Tell = Callable[[str], None]


class Holder(msgspec.Struct, frozen=True):
    """A session that holds a lock. What the server does not show to this login is empty."""

    pid: int
    user: str | None
    application: str | None
    since: datetime | None
    """When its transaction began."""
    query: str | None

    def __str__(self) -> str:
        who = f"pid {self.pid} (user {self.user or 'unknown'}, application {self.application or 'unnamed'}"
        since = f", since {self.since:%H:%M:%S}" if self.since else ""
        return f"{who}{since}{f': {self.query}' if self.query else ''})"


class LockWait:
    """The attempts of one session, for `limit_s` in total. `watcher` is a second session."""

    def __init__(
        self, connection: AsyncConnection[DictRow], watcher: AsyncConnection[DictRow], limit_s: float, tell: Tell
    ) -> None:
        self._connection = connection
        self._watcher = watcher
        self._limit_s = limit_s
        self._give_up_at = time.monotonic() + limit_s
        self._tell = tell
        self._told: tuple[str, float] = ("", 0.0)

    async def attempt(self, name: str, step: Callable[[], Awaitable[None]]) -> None:
        """Repeats `step`, which must undo itself when it fails, until it gets its locks. Raises MigrationBlocked."""
        pid = await self._backend_pid()
        while True:
            holders: list[Holder] = []
            done = asyncio.Event()
            watching = asyncio.create_task(self._watch(pid, holders, done))
            try:
                applied = await _with_its_locks(step)
            finally:
                done.set()
                await asyncio.gather(watching, return_exceptions=True)
            if applied:
                return
            await self._pause(name, holders)

    async def outlast_running_transactions(self, name: str) -> None:
        """Returns when every transaction that runs in this database now has ended. Raises MigrationBlocked."""
        running = {(row["pid"], row["transaction"]) for row in await self._ask("running_transactions")}
        while running:
            found = await self._ask("running_transactions")
            running &= {(row["pid"], row["transaction"]) for row in found}
            if running:
                pids = {pid for pid, _ in running}
                await self._pause(name, await self._holders("sessions", pids=list(pids)))

    async def _pause(self, name: str, holders: list[Holder]) -> None:
        who = " and ".join(map(str, holders)) or "another session"
        left_s = self._give_up_at - time.monotonic()
        if left_s <= 0:
            raise MigrationBlocked(
                f"{name} could not be applied within {self._limit_s:g} s because of {who}; what was applied before it "
                "stays, and units continue; wait for that session, or end it, and run again: nodeunit migrate"
            )
        pids, at = str([holder.pid for holder in holders]), time.monotonic()
        if pids != self._told[0] or at - self._told[1] > SAY_AGAIN_AFTER_S:
            self._told = (pids, at)
            self._tell(f"{name} waits for {who}; trying for {left_s:.0f} s more")
        await asyncio.sleep(min(PAUSE_S, max(left_s, 0.0)))

    async def _watch(self, pid: int, holders: list[Holder], done: asyncio.Event) -> None:
        while not done.is_set():
            await asyncio.sleep(LOOK_EVERY_S)
            if found := await self._holders("lock_holders", pid=pid):
                holders[:] = found

    async def _holders(self, query: str, **parameters: object) -> list[Holder]:
        return [Holder(**row) for row in await self._ask(query, **parameters)]

    async def _ask(self, query: str, **parameters: object) -> list[DictRow]:
        return await (await self._watcher.execute(QUERIES[query], parameters)).fetchall()

    async def _backend_pid(self) -> int:
        row = await (await self._connection.execute(QUERIES["backend_pid"])).fetchone()
        assert row is not None
        return int(row["backend_pid"])


async def _with_its_locks(step: Callable[[], Awaitable[None]]) -> bool:
    try:
        await step()
    except (LockNotAvailable, DeadlockDetected):
        return False
    return True
