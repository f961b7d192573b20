"""Reads the logs of programs wherever they run, through the database alone.

The reader asks again a few times a second, and at once while there is more. What it has confirmed is not sent again. A
request that is gone, as after a failover, is made anew where it was.
"""

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import dataclass, field
from uuid import UUID

import msgspec

from nodeunit.domain.program_log import LogPiece, LogQuery, SentLog
from nodeunit.errors import DatabaseError, LogUnavailable
from nodeunit.store.postgres.connections import Connection
from nodeunit.store.postgres.requirements import connect_to_schema
from nodeunit.store.write.log_requests import end_log_requests, read_log, request_log

LOOK_EVERY_S = 0.2
ANSWERED_WITHIN_S = 10.0
"""A unit that does not answer for so long is given up, or said to be silent."""

RECONNECT_AFTER_S = 1.0


class WantedLog(msgspec.Struct, frozen=True):
    """A log to read: of a row, from the unit that holds it, or from the unit at an address."""

    deployment_id: UUID
    unit_address: str = ""


class ReceivedPiece(msgspec.Struct, frozen=True):
    """A piece of a log, and where it comes from."""

    deployment_id: UUID
    unit_address: str
    piece: LogPiece
    skipped: int
    """How many bytes before it are not in the log any more."""


@dataclass
class _Reading:
    """One log, through all requests that are made for it."""

    wanted: WantedLog
    request: UUID | None = None
    positions: dict[str, int] = field(default_factory=dict)
    confirmed: dict[str, int] = field(default_factory=dict)
    heard_at: float = 0.0
    said: set[str] = field(default_factory=set)
    done: bool = False


class ProgramLogs:
    """The logs of several rows, as they arrive. `notice` is told what a person should know: of which log, of which unit
    or of none, and the words."""

    def __init__(
        self, conninfo: str, wanted: Sequence[WantedLog], query: LogQuery, notice: Callable[[WantedLog, str, str], None]
    ) -> None:
        self._conninfo = conninfo
        self._query = query
        self._notice = notice
        self._readings = [_Reading(one) for one in wanted]

    async def pieces(self) -> AsyncGenerator[ReceivedPiece, None]:
        """Every piece once, in its order on its unit.

        Without `follow` it ends with the end of the logs; with it, outages of the database are waited for. Raises
        LogUnavailable if no unit sends one of the logs.
        """
        connection = await connect_to_schema(self._conninfo, "logs", writes=True)
        try:
            while not all(reading.done for reading in self._readings):
                try:
                    sent = await self._look(connection)
                except DatabaseError as error:
                    if not self._query.follow:
                        raise
                    self._notice(self._readings[0].wanted, "", f"reading is interrupted: {error}")
                    connection = await self._connect_again(connection)
                    continue
                found = False
                for reading, one in sent:
                    for received in self._received(reading, one):
                        found = True
                        yield received
                        reading.confirmed[one.unit_address] = received.piece.number
                for reading in self._readings:
                    self._judge(reading, [one for owner, one in sent if owner is reading])
                if not found:
                    await asyncio.sleep(LOOK_EVERY_S)
        finally:
            await self._end(connection)

    async def _look(self, connection: Connection) -> list[tuple[_Reading, SentLog]]:
        for reading in self._readings:
            if reading.request is None and not reading.done:
                wanted = reading.wanted
                reading.request = await request_log(
                    connection, wanted.deployment_id, wanted.unit_address, self._query, reading.positions
                )
                reading.confirmed = {}
                reading.heard_at = time.monotonic()
        by_request = {one.request: one for one in self._readings if one.request is not None and not one.done}
        confirmed = {
            (request, unit): number for request, one in by_request.items() for unit, number in one.confirmed.items()
        }
        sent = await read_log(connection, list(by_request), confirmed)
        for request in by_request.keys() - {one.request_id for one in sent}:
            by_request[request].request = None
        return [(by_request[one.request_id], one) for one in sent]

    def _received(self, reading: _Reading, sent: SentLog) -> list[ReceivedPiece]:
        """What is new in an answer."""
        found = []
        last = reading.confirmed.get(sent.unit_address, -1)
        for piece in sent.pieces:
            if piece.number > last:
                expected = reading.positions.get(sent.unit_address, piece.position)
                skipped = max(piece.position - expected, 0)
                reading.positions[sent.unit_address] = piece.position + len(piece.data)
                found.append(ReceivedPiece(reading.wanted.deployment_id, sent.unit_address, piece, skipped))
                reading.heard_at = time.monotonic()
        return found

    def _judge(self, reading: _Reading, sent: list[SentLog]) -> None:
        """Finds out whether a log is complete, or cannot be had."""
        if reading.done or not sent:
            return
        units = [one for one in sent if one.unit_address]
        for one in units:
            if one.problem:
                self._say(reading, one.unit_address, one.problem)
        silent = time.monotonic() > reading.heard_at + ANSWERED_WITHIN_S
        owed = [one for one in units if (one.holds and not one.finished) or one.pieces]
        if any(one.answers and not one.finished for one in units) and self._query.follow:
            reading.heard_at = time.monotonic()
        elif not units:
            self._give_up(reading, "", "no unit holds it now; name the unit that ran it with --unit")
        elif not owed and not self._query.follow:
            if not reading.positions and all(one.problem for one in units):
                raise LogUnavailable(self._sentence(reading, units[0].problem))
            reading.done = True
        elif silent:
            for one in owed:
                self._give_up(reading, one.unit_address, "it does not answer; its connection or its version may be old")

    def _give_up(self, reading: _Reading, unit: str, why: str) -> None:
        """Says so while following, where it may change."""
        if self._query.follow:
            self._say(reading, unit, why)
            return
        if reading.positions:
            self._say(reading, unit, why)
            reading.done = True
            return
        raise LogUnavailable(self._sentence(reading, why))

    def _say(self, reading: _Reading, unit: str, what: str) -> None:
        if f"{unit} {what}" not in reading.said:
            reading.said.add(f"{unit} {what}")
            self._notice(reading.wanted, unit, what)

    def _sentence(self, reading: _Reading, why: str) -> str:
        return f"the log of {reading.wanted.deployment_id} cannot be read: {why}"

    async def _connect_again(self, connection: Connection) -> Connection:
        await connection.close()
        while True:
            await asyncio.sleep(RECONNECT_AFTER_S)
            try:
                return await connect_to_schema(self._conninfo, "logs", writes=True)
            except DatabaseError:
                continue

    async def _end(self, connection: Connection) -> None:
        try:
            await end_log_requests(connection, [one.request for one in self._readings if one.request is not None])
        except DatabaseError:
            pass  # the requests expire
        finally:
            await connection.close()
