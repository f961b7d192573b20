"""One request for the log of a program, on the unit that sends: which piece is next, and when it is complete."""

import os
import time

from nodeunit.clock import boottime
from nodeunit.domain.program_log import PIECE_BYTES, PIECES_AHEAD, LogPiece, LogProgress, LogRequest, RunMark
from nodeunit.process.log_marks import START
from nodeunit.process.log_reader import LogReader

MOST_MARKS = 100
"""The most marks in a piece; of a program that always fails, the others follow in the next."""

LAST_LINES_WITHIN_S = 15.0
"""After a row has gone to another unit, how long the end of its run here is waited for."""


class LogSession:
    """`begin` and `next_piece` wait for the disk, so they run in a thread; never two at once."""

    def __init__(self, directory: str, request: LogRequest) -> None:
        self.request_id = request.request_id
        self._asked = request
        self._reader = LogReader(os.path.join(directory, f"{request.deployment_id}.log"))
        self._position = request.position
        self._number = request.next_number
        self._confirmed = request.confirmed
        self._begun = False
        self._updated = False
        self._end: int | None = None
        self._marked = (-1, 0.0)
        self._resumed_at: int | None = None
        self._given_up_at: float | None = None
        self._finished = False
        self._problem = ""

    def update(self, request: LogRequest, *, leaving: bool) -> None:
        """What the database says of it now. `leaving`: the unit ends, and sends what it still has."""
        self._confirmed = request.confirmed
        if request.holds and not leaving:
            self._given_up_at = None
        elif self._given_up_at is None:
            # A session that begins without the row, as after a crash of the unit, finds a run that has no end.
            began_late = not self._updated and not request.holds
            self._given_up_at = boottime() - (LAST_LINES_WITHIN_S - 1.0 if began_late else 0.0)
        self._updated = True

    @property
    def waits_for_its_reader(self) -> bool:
        return not self._finished and self._number - self._confirmed > PIECES_AHEAD

    @property
    def finished(self) -> bool:
        return self._finished

    def progress(self) -> LogProgress:
        return LogProgress(self.request_id, self._position, self._number, self._finished, self._problem)

    def close(self) -> None:
        self._reader.close()

    def next_piece(self) -> LogPiece | None:
        """The next piece, if there is one and the reader is not too far behind."""
        if not self._begun:
            self._begin()
        if self._finished or self.waits_for_its_reader or self._position is None:
            return None
        most = PIECE_BYTES if self._end is None else min(PIECE_BYTES, max(self._end - self._position, 0))
        text = self._reader.read(self._position, most)
        data = text.data if self._end is None else text.data[: max(self._end - text.position, 0)]
        marks = self._marks_until(text.position + len(data))
        if not data and not marks:
            self._finished = self._is_complete()
            return None
        self._position = text.position + len(data)
        self._number += 1
        return LogPiece(self._number - 1, text.position, data, marks)

    def _begin(self) -> None:
        asked, reader = self._asked, self._reader
        self._begun = True
        first, end = reader.bounds()
        self._end = None if asked.follow else end
        if self._position is not None:
            self._marked, self._resumed_at = (self._position, -1.0), self._position
            return
        if not asked.follow and not reader.exists():
            self._finish("it has no log of this deployment")
            return
        if not asked.is_first:
            start = reader.start_of_claim(asked.claim_version)
        elif asked.previous:
            run = reader.run_before_newest()
            if run is None:
                self._finish("its log has no run before the newest")
                return
            start, self._end = run
        elif asked.tail is not None:
            start = reader.start_of_tail(asked.tail)
        elif asked.since_s is not None:
            start = reader.start_of_time(time.time() - asked.since_s)
        else:
            start = asked.first_byte or 0
            start = max(first, start if start >= 0 else end + start)
        if asked.bytes is not None:
            self._end = start + asked.bytes if self._end is None else min(self._end, start + asked.bytes)
        self._position, self._marked = start, (start, -1.0)

    def _finish(self, problem: str) -> None:
        self._finished, self._problem = True, problem

    def _marks_until(self, position: int) -> list[RunMark]:
        found = [
            mark
            for mark in self._reader.runs()
            if (mark.position, mark.at) > self._marked
            and mark.position <= position
            and mark.position != (self._end if mark.kind == START else self._resumed_at)
        ][:MOST_MARKS]
        if found:
            self._marked = (found[-1].position, found[-1].at)
        return [RunMark(mark.position, mark.at, mark.kind == START, mark.number, mark.detail) for mark in found]

    def _is_complete(self) -> bool:
        """Whether nothing more is to come, when there is nothing more now."""
        if self._end is not None:
            return True
        if self._given_up_at is None:
            return False
        runs = self._reader.runs()
        running = bool(runs) and runs[-1].kind == START
        return not running or boottime() > self._given_up_at + LAST_LINES_WITHIN_S
