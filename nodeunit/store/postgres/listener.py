"""The listener: one connection of its own that hears notifications and turns them into wake-ups.

A notification is a hint without authority. Whoever is woken reads the state; so after every (re)connect one synthetic
wake-up follows the LISTEN, and nothing that happened in between is missed. Silent deafness, a connection that lives and
hears nothing, is found by `check_deafness`: each heartbeat tells the number of the newest notification.
"""

import asyncio
import logging
import os
import random
import socket
from collections.abc import Callable
from typing import NamedTuple

import psycopg
from psycopg import AsyncConnection
from psycopg.rows import DictRow

from nodeunit.errors import DatabaseError, NodeunitError
from nodeunit.store.postgres.connections import connect
from nodeunit.store.postgres.queries import QUERIES

log = logging.getLogger(__name__)

FIRST_DELAY_S = 0.1
LONGEST_DELAY_S = 2.0


class WakeUp(NamedTuple):
    """Something may have changed. `what` is `connected`, `deployment` or `eligible`; `who` is empty for everybody."""

    what: str
    who: frozenset[str] = frozenset()

    def concerns(self, address: str) -> bool:
        """Whether the unit at this address is meant."""
        return not self.who or address in self.who


class Listener:
    """Runs until cancelled; calls `on_wake_up` for each notification and once after each connect."""

    def __init__(self, conninfo: str, on_wake_up: Callable[[WakeUp], None]) -> None:
        self._conninfo = conninfo
        self._on_wake_up = on_wake_up
        self._last_number = 0
        self._expected_number = 0
        self._connection: AsyncConnection[DictRow] | None = None

    async def run(self) -> None:
        """Connects, listens, and connects again, with a jittered backoff that a connection resets."""
        delay = FIRST_DELAY_S
        while True:
            try:
                async with await connect(self._conninfo, "listener") as connection:
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
        """Takes the number that a heartbeat was told. Returns how many notifications were missed, if the listener has
        been behind since the heartbeat before: it is deaf then, and reconnects; else 0.
        """
        deaf_by = (
            self._expected_number - self._last_number
            if self._connection is not None and self._expected_number > self._last_number
            else 0
        )
        self._expected_number = newest
        if deaf_by:
            log.warning("the listener missed %d notifications and connects again", deaf_by)
            self._expected_number = 0
            self._reconnect()
        return deaf_by

    async def _start(self, connection: AsyncConnection[DictRow]) -> None:
        await connection.execute(QUERIES["listen"])
        row = await (await connection.execute(QUERIES["newest_wake_up"])).fetchone()
        assert row is not None
        if row["standby"]:
            raise DatabaseError("the server is a standby, where nothing is notified")
        self._last_number, self._expected_number = row["number"], 0
        self._connection = connection
        self._on_wake_up(WakeUp("connected"))

    def _on_notification(self, payload: str) -> None:
        """`number what who,who`; what cannot be read is a wake-up for everybody."""
        number, _, rest = payload.partition(" ")
        what, _, who = rest.partition(" ")
        if not number.isdecimal():
            self._on_wake_up(WakeUp("unknown"))
            return
        self._last_number = max(self._last_number, int(number))
        self._on_wake_up(WakeUp(what or "unknown", frozenset() if who in ("", "*") else frozenset(who.split(","))))

    def _reconnect(self) -> None:
        """Shuts the socket down: `notifies` ends with an error, and `run` connects again."""
        if self._connection is not None and not self._connection.closed:
            with socket.socket(fileno=os.dup(self._connection.fileno())) as ours:
                ours.shutdown(socket.SHUT_RDWR)
