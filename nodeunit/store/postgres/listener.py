"""The listener: one connection of its own that receives notifications and turns them into wake-ups.

A notification is a hint without authority: a unit that is woken reads the state. So one synthetic wake-up follows each
LISTEN, and nothing that happened while the listener was away is missed. Silent deafness, a connection that lives and
receives nothing, is found by `check_deafness`, because each heartbeat answers the number of the newest notification.
"""

import asyncio
import logging
import random
from collections.abc import Callable
from typing import NamedTuple

import psycopg

from nodeunit.errors import DatabaseError, NodeunitError
from nodeunit.store.postgres.connections import Connection, answer_limit, connect, shut_down
from nodeunit.store.postgres.notification import HeardNumbers, read_payload
from nodeunit.store.postgres.queries import QUERIES

log = logging.getLogger(__name__)

FIRST_DELAY_S = 0.1
LONGEST_DELAY_S = 2.0


class WakeUp(NamedTuple):
    """Something may have changed. `what` is `connected`, `deployment`, `eligible` or `unit`; `who` is empty for all."""

    what: str
    who: frozenset[str] = frozenset()

    def concerns(self, address: str) -> bool:
        """Whether it is for the unit at this address."""
        return not self.who or address in self.who


class Listener:
    """Runs until cancelled; calls `on_wake_up` for each notification and once after each connect."""

    def __init__(self, conninfo: str, on_wake_up: Callable[[WakeUp], None]) -> None:
        self._conninfo = conninfo
        self._on_wake_up = on_wake_up
        self._numbers = HeardNumbers()
        self._connection: Connection | None = None

    async def run(self) -> None:
        """Connects, listens, and connects again, with a jittered backoff that a connection resets."""
        delay = FIRST_DELAY_S
        while True:
            try:
                async with await connect(self._conninfo, "listener") as connection:
                    with answer_limit(connection):
                        await self._start(connection)
                    delay = FIRST_DELAY_S
                    async for notification in connection.notifies():
                        self._on_notification(notification.payload)
            except (psycopg.Error, NodeunitError, OSError) as error:
                log.warning("the listener has lost its connection (%s) and connects again", str(error).strip())
            finally:
                self._connection = None
            await asyncio.sleep(delay * random.uniform(0.8, 1.2))
            delay = min(delay * 2, LONGEST_DELAY_S)

    def check_deafness(self, newest: int) -> int:
        """Compares the number of the newest notification, from a heartbeat's answer, with what was received.

        Returns how many notifications were missed if those of the heartbeat before have still not arrived: then the
        listener is deaf, and reconnects. Otherwise 0.
        """
        missed = self._numbers.missed(newest)
        if self._connection is None or missed <= 0:
            return 0
        log.warning("the listener missed %d notifications and connects again", missed)
        self._numbers.expect_nothing()
        shut_down(self._connection)  # ends `notifies`, and `run` connects again
        return missed

    async def _start(self, connection: Connection) -> None:
        await connection.execute(QUERIES["listen"])
        row = await (await connection.execute(QUERIES["newest_wake_up"])).fetchone()
        assert row is not None
        if row["standby"]:
            raise DatabaseError("the server is a standby, which sends no notifications")
        self._numbers.start(row["number"])
        self._connection = connection
        self._on_wake_up(WakeUp("connected"))

    def _on_notification(self, payload: str) -> None:
        number, what, who = read_payload(payload)
        if number is not None:
            self._numbers.hear(number)
        self._on_wake_up(WakeUp(what, who))
