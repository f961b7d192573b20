"""Sends the logs of programs to those who ask for them, through the database; does nothing while nobody asks.

A reader's request wakes the unit by a notification. From then on the unit looks at the files ten times a second, sends
what is new, and says once a second that it is there, until the request has ended or its reader is silent. Files are
read in a thread, because a disk may hang.
"""

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from threading import Thread
from uuid import UUID

from nodeunit.clock import boottime
from nodeunit.daemon.log_session import LogSession
from nodeunit.domain.program_log import PIECE_BYTES, LogPiece
from nodeunit.errors import DatabaseError
from nodeunit.store.write.log_requests import serve_logs
from nodeunit.store.write.membership import Membership

log = logging.getLogger(__name__)

LOOK_EVERY_S = 0.1
SAY_EVERY_S = 1.0
CONFIRMED_WITHIN_S = 0.02
LONGEST_PAUSE_S = 0.5

MOST_PIECES = 4
"""In one statement. A unit with a slow line must not keep a connection for long."""

AGAIN_AFTER_S, AGAIN_AT_MOST_S = 1.0, 30.0


class LogServer:
    """Runs until cancelled. `directory` has the logs of this unit's programs."""

    def __init__(self, unit: Membership, directory: str) -> None:
        self._unit = unit
        self._directory = directory
        self._asked = asyncio.Event()
        self._idle = asyncio.Event()
        self._sessions: dict[UUID, LogSession] = {}
        self._leaving = False
        self._served = 0

    def look(self) -> None:
        """Somebody may ask for a log."""
        self._idle.clear()
        self._asked.set()

    async def finish(self, within_s: float) -> None:
        """The unit leaves: sends the last lines to those who read them. Returns when they are sent, or time is up."""
        if not self._sessions:
            return
        self._leaving = True
        self.look()
        try:
            await asyncio.wait_for(self._idle.wait(), within_s)
        except TimeoutError:
            log.warning("%d readers of logs did not take the last lines in time", len(self._sessions))

    async def run(self) -> None:
        again_after_s = AGAIN_AFTER_S
        try:
            while True:
                await self._asked.wait()
                try:
                    await self._serve()
                    again_after_s = AGAIN_AFTER_S
                except DatabaseError as error:
                    log.warning("logs cannot be sent: %s", error)
                    # What was sent is not known, so the next answer of the database says where to go on.
                    self._forget_all()
                    await asyncio.sleep(again_after_s)
                    again_after_s = min(again_after_s * 2, AGAIN_AT_MOST_S)
                    self._asked.set()
        finally:
            self._forget_all()

    async def _serve(self) -> None:
        """Until nothing is asked for any more."""
        say_at, pause_s = 0.0, LOOK_EVERY_S
        while True:
            sessions = list(self._sessions.values())
            # Those that were served last come last, because there may be more of them than pieces in a statement.
            first = self._served % max(len(sessions), 1)
            sessions = sessions[first:] + sessions[:first]
            pieces = await _in_a_thread(_next_pieces, sessions)
            self._served += len(pieces)
            waiting = any(session.waits_for_its_reader for session in sessions)
            ended = any(session.finished for session in sessions)
            if pieces or waiting or ended or self._asked.is_set() or boottime() >= say_at:
                self._asked.clear()
                await self._exchange(pieces)
                say_at = boottime() + SAY_EVERY_S
            if not self._sessions:
                self._idle.set()
                return
            if len(pieces) == MOST_PIECES or any(len(piece.data) == PIECE_BYTES for _, piece in pieces):
                pause_s = CONFIRMED_WITHIN_S
                continue
            pause_s = min(pause_s * 2, LONGEST_PAUSE_S) if waiting and not pieces else LOOK_EVERY_S
            try:
                await asyncio.wait_for(self._asked.wait(), pause_s)
            except TimeoutError:
                pass

    async def _exchange(self, pieces: list[tuple[UUID, LogPiece]]) -> None:
        states = [session.progress() for session in self._sessions.values()]
        asked = {one.request_id: one for one in await serve_logs(self._unit.pool, self._unit.address, pieces, states)}
        for request_id in self._sessions.keys() - asked.keys():
            self._sessions.pop(request_id).close()
        for request_id, request in asked.items():
            session = self._sessions.get(request_id)
            if session is None:
                session = self._sessions[request_id] = LogSession(self._directory, request)
            session.update(request, leaving=self._leaving)

    def _forget_all(self) -> None:
        for session in self._sessions.values():
            session.close()
        self._sessions.clear()


async def _in_a_thread(
    work: Callable[[list[LogSession]], list[tuple[UUID, LogPiece]]], sessions: list[LogSession]
) -> list[tuple[UUID, LogPiece]]:
    """As `asyncio.to_thread`, but the process does not wait for it at its end: a disk that hangs may never answer."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[list[tuple[UUID, LogPiece]]] = loop.create_future()

    def tell(outcome: list[tuple[UUID, LogPiece]] | Exception) -> None:
        if done.done():
            return  # cancelled
        if isinstance(outcome, Exception):
            done.set_exception(outcome)
        else:
            done.set_result(outcome)

    def run() -> None:
        try:
            outcome: list[tuple[UUID, LogPiece]] | Exception = work(sessions)
        except Exception as error:  # noqa: BLE001 - it is raised where it is awaited
            outcome = error
        with suppress(RuntimeError):  # the loop is closed
            loop.call_soon_threadsafe(tell, outcome)

    Thread(target=run, name="logs", daemon=True).start()
    return await done


def _next_pieces(sessions: list[LogSession]) -> list[tuple[UUID, LogPiece]]:
    """A few pieces, in turn of those that have one."""
    pieces: list[tuple[UUID, LogPiece]] = []
    going = sessions
    while going and len(pieces) < MOST_PIECES:
        more = []
        for session in going:
            if len(pieces) < MOST_PIECES and (piece := session.next_piece()) is not None:
                pieces.append((session.request_id, piece))
                more.append(session)
        going = more
    return pieces
