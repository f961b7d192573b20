"""One program's log: an append-only file that is rotated by size.

An error of the file system is reported once and survived: output is dropped, and the programs continue. A separate
process compresses the older generations (see `LogGenerations`). Positions and runs are noted beside it (`log_marks`).
"""

import os
import stat
import time
from collections.abc import Callable
from typing import IO

from nodeunit.process.log_generations import LogGenerations
from nodeunit.process.log_marks import END, FILE, START, TIME, Mark

MAX_BYTES = 10 * 1024 * 1024

_LONGEST_LINE = 64 * 1024  # a line longer than this may be split between two files
_REOPEN_AFTER_S = 5.0
_RECOVERED_AFTER_S = 10.0  # without an error, because a full disk may fail and succeed alternately
_TIME_EVERY_S = 1.0
_SMALLEST_GZIP = 18  # header and trailer in bytes
_APPEND = os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC


class RotatingLog:
    """Appends to a file. `say` gets one sentence when dropping begins, and one when it ends; `rotated` is called after
    each rotation."""

    def __init__(
        self,
        generations: LogGenerations,
        say: Callable[[str], None],
        rotated: Callable[[LogGenerations], None],
        max_bytes: int = MAX_BYTES,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        self.path = generations.path
        self._generations = generations
        self._marks = generations.marks
        self._say = say
        self._rotated = rotated
        self._max_bytes = max_bytes
        self._wall_clock = wall_clock
        self._fd: int | None = None
        self._file = (0, 0)
        self._is_plain_file = True
        self._size = 0
        self._begins_at: int | None = None
        self._marked_at = 0.0
        self._mid_line = False
        self._reopen_at = 0.0
        self._failed_at: float | None = None
        self._dropped = 0
        self._said_unrotated = False

    @property
    def is_open(self) -> bool:
        """Whether a program writes here."""
        return self._fd is not None

    def open(self, now: float) -> None:
        """Opens the file for appending, and makes its directory. If that fails, output is dropped and opening is tried
        again later."""
        if self._fd is not None or now < self._reopen_at:
            return
        try:
            os.makedirs(os.path.dirname(self.path), mode=0o750, exist_ok=True)
            try:
                self._fd = os.open(self.path, _APPEND)
            except FileNotFoundError:
                self._fd = self._make()
            else:
                self._place(self._fd)
        except OSError as error:
            self._reopen_at = now + _REOPEN_AFTER_S
            self._drop(0, error, now)

    def close(self) -> None:
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None

    def begin_run(self, now: float, pid: int, claim_version: str) -> None:
        """Opens the log and notes that a run begins."""
        self.open(now)
        self._mark(START, pid, claim_version)

    def end_run(self, pid: int, how: str) -> None:
        """Notes that a run has ended, and closes the log."""
        self._mark(END, pid, how)
        self.close()

    def write(self, data: bytes, now: float) -> None:
        """Appends `data`. Rotates between two lines, unless a single line is longer than 64 KiB."""
        self._notice_changes(now)
        start = 0
        while start < len(data):
            self.open(now)
            if self._fd is None:
                self._dropped += len(data) - start
                return
            if (wall_clock := self._wall_clock()) >= self._marked_at + _TIME_EVERY_S or wall_clock < self._marked_at:
                self._marked_at = wall_clock
                self._mark(TIME)
            end = start + self._fitting(data, start)
            if not self._append(self._fd, data[start:end], now):
                self._dropped += len(data) - end
                return
            start = end
            if start < len(data):
                self._rotate()

    def _make(self) -> int:
        """A new file, which gets its name only when its place in the log is noted, so that readers know it."""
        new = f"{self.path}.new"
        fd = os.open(new, _APPEND | os.O_CREAT | os.O_TRUNC, 0o640)
        try:
            self._place(fd)
            os.rename(new, self.path)
        except BaseException:
            os.close(fd)
            raise
        return fd

    def _place(self, fd: int) -> None:
        """Finds out where the file stands in the whole log."""
        found = os.fstat(fd)
        same = (found.st_dev, found.st_ino) == self._file and found.st_size >= self._size
        self._is_plain_file = stat.S_ISREG(found.st_mode)
        if self._is_plain_file and not (same and self._begins_at is not None):
            end = None if self._begins_at is None else self._begins_at + self._size
            self._begins_at = self._place_of(found.st_ino, found.st_size, end)
        self._file, self._size = (found.st_dev, found.st_ino), found.st_size

    def _place_of(self, inode: int, size: int, end: int | None) -> int:
        """The position of the first byte of a file that begins at `end`; None: this process has not written before."""
        if end is None:
            marks = self._marks.read()
            last = max((mark.position for mark in marks), default=0)
            for mark in reversed(marks):
                if mark.kind == FILE and mark.number == inode and last <= mark.position + size:
                    return mark.position
            # What was written after the last mark of a file that is gone is unknown; its positions are not used again.
            end = last + 2 * self._max_bytes if marks else self._place_older()
        self._marks.add(Mark(FILE, end, self._wall_clock(), inode))
        return end

    def _place_older(self) -> int:
        """Notes where the generations stand of a log that has no marks. Returns where they end."""
        end = 0
        for path in self._generations.paths()[:-1]:
            try:
                with open(path, "rb") as file:
                    found = os.fstat(file.fileno())
                    self._marks.add(Mark(FILE, end, found.st_mtime, found.st_ino))
                    end += text_size(file, path.endswith(".gz"))
            except OSError:
                continue
        return end

    def _mark(self, kind: str, number: int = 0, detail: str = "") -> None:
        if self._fd is not None and self._is_plain_file and self._begins_at is not None:
            self._marks.add(Mark(kind, self._begins_at + self._size, self._wall_clock(), number, detail))

    def _notice_changes(self, now: float) -> None:
        """Opens the log anew if somebody has moved or deleted it; one that was cut short goes on at its new end."""
        if self._fd is None:
            return
        try:
            found = os.stat(self.path)
        except OSError:
            found = None
        if found is None or (found.st_dev, found.st_ino) != self._file:
            self._say(f"{self.path} was moved or deleted; it is made anew")
            self.close()
            self._mid_line = False
            self.open(now)
        elif self._is_plain_file:
            if found.st_size < self._size and self._begins_at is not None:
                self._begins_at = self._begins_at + self._size - found.st_size
                self._marks.add(Mark(FILE, self._begins_at, self._wall_clock(), found.st_ino))
            self._size = found.st_size

    def _fitting(self, data: bytes, start: int) -> int:
        """How many bytes from `start` on belong in the current file; 0 if a rotation is due."""
        length, room = len(data) - start, max(self._max_bytes - self._size, 0)
        if length <= room:
            return length
        fits = data.rfind(b"\n", start, start + room) + 1 - start
        if fits > 0:
            return fits
        if self._size and not self._mid_line:
            return 0
        # A line that began in this file ends in it, up to a limit.
        room = max(self._max_bytes + _LONGEST_LINE - self._size, 0)
        line = data.find(b"\n", start, start + room) + 1 - start
        return line if line > 0 else min(length, room)

    def _append(self, fd: int, part: bytes, now: float) -> bool:
        while part:
            try:
                written = os.write(fd, part)
            except OSError as error:
                self._drop(len(part), error, now)
                return False
            self._size += written
            self._mid_line = part[written - 1] != 0x0A
            part = part[written:]
        if self._failed_at is not None and now > self._failed_at + _RECOVERED_AFTER_S:
            self._say(f"{self.path} is written again; {self._dropped} bytes of output are missing in it")
            self._failed_at, self._dropped = None, 0
        return True

    def _drop(self, count: int, error: OSError, now: float) -> None:
        if self._failed_at is None:
            self._say(f"output is dropped, because {self.path} cannot be written: {error.strerror}")
        self._failed_at = now
        self._dropped += count

    def _rotate(self) -> None:
        """Starts a new file. If that fails, the newer half of the present one stays, so that the disk is not filled."""
        try:
            self._generations.move_on()
        except OSError as error:
            if not self._said_unrotated:
                self._say(f"{self.path} keeps its newest lines only, because it cannot be rotated: {error.strerror}")
            self._said_unrotated = True
            self._shorten()
            return
        self._said_unrotated = False
        self.close()
        self._mid_line = False
        self._reopen_at = 0.0
        self._rotated(self._generations)

    def _shorten(self) -> None:
        if self._fd is None or not self._is_plain_file or self._begins_at is None:
            self._size = 0
            return
        try:
            with open(self.path, "rb") as file:
                file.seek(-min(self._size, self._max_bytes // 2), os.SEEK_END)
                newest = file.read()
            newest = newest[newest.find(b"\n") + 1 :] or newest
            os.ftruncate(self._fd, 0)
            os.write(self._fd, newest)
        except OSError:
            newest = b""
        begins_at = self._begins_at + self._size - len(newest)
        self._begins_at, self._size = begins_at, os.fstat(self._fd).st_size
        self._marks.add(Mark(FILE, begins_at, self._wall_clock(), self._file[1]))


def text_size(file: IO[bytes], packed: bool) -> int:
    """The size of the text in an open file, which gzip notes at the end. Raises OSError."""
    size = file.seek(0, os.SEEK_END)
    if packed and size >= _SMALLEST_GZIP:
        file.seek(-4, os.SEEK_END)
        return int.from_bytes(file.read(4), "little")
    return 0 if packed else size
