"""One program's log: an append-only file that is rotated by size.

An error of the file system is reported once and survived: output is dropped, and the programs continue. A separate
process compresses the older generations (see `LogGenerations`).
"""

import os
from collections.abc import Callable

from nodeunit.process.log_generations import LogGenerations

MAX_BYTES = 10 * 1024 * 1024

_LONGEST_LINE = 64 * 1024  # a line longer than this may be split between two files
_REOPEN_AFTER_S = 5.0
_RECOVERED_AFTER_S = 10.0  # without an error, because a full disk may fail and succeed alternately


class RotatingLog:
    """Appends to a file. `say` gets one sentence when dropping begins, and one when it ends; `rotated` is called after
    each rotation."""

    def __init__(
        self,
        generations: LogGenerations,
        say: Callable[[str], None],
        rotated: Callable[[LogGenerations], None],
        max_bytes: int = MAX_BYTES,
    ) -> None:
        self.path = generations.path
        self._generations = generations
        self._say = say
        self._rotated = rotated
        self._max_bytes = max_bytes
        self._limit = max_bytes
        self._fd: int | None = None
        self._size = 0
        self._mid_line = False
        self._reopen_at = 0.0
        self._failed_at: float | None = None
        self._dropped = 0

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
            self._fd = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o640)
            self._size = os.fstat(self._fd).st_size
        except OSError as error:
            self._reopen_at = now + _REOPEN_AFTER_S
            self._drop(0, error, now)

    def close(self) -> None:
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None

    def write(self, data: bytes, now: float) -> None:
        """Appends `data`. Rotates between two lines, unless a single line is longer than 64 KiB."""
        start = 0
        while start < len(data):
            self.open(now)
            if self._fd is None:
                self._dropped += len(data) - start
                return
            end = start + self._fitting(data, start)
            if not self._append(self._fd, data[start:end], now):
                self._dropped += len(data) - end
                return
            start = end
            if start < len(data):
                self._rotate()

    def _fitting(self, data: bytes, start: int) -> int:
        """How many bytes from `start` on belong in the current file; 0 if a rotation is due."""
        length, room = len(data) - start, max(self._limit - self._size, 0)
        if length <= room:
            return length
        fits = data.rfind(b"\n", start, start + room) + 1 - start
        if fits > 0:
            return fits
        if self._size and not self._mid_line:
            return 0
        # A line that began in this file ends in it, up to a limit.
        room = max(self._limit + _LONGEST_LINE - self._size, 0)
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
        """Starts a new file. If that fails, the present one grows by another `max_bytes` before the next attempt."""
        try:
            self._generations.move_on()
        except OSError as error:
            self._say(f"{self.path} continues to grow, because it cannot be rotated: {error.strerror}")
            self._limit = self._size + self._max_bytes
            return
        self.close()
        self._limit = self._max_bytes
        self._mid_line = False
        self._reopen_at = 0.0
        self._rotated(self._generations)
