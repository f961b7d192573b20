"""Carries a program's output from its pipe into its log, a bounded piece at a time."""

import os

from nodeunit.process.rotating_log import RotatingLog

PIECE = 64 * 1024
"""What one program may have copied per turn of the loop: what a pipe holds. So no chatty one starves the others."""

_LAST_PIECES = 32


class Output:
    """The read end of a program's standard output and error."""

    def __init__(self, fd: int, log: RotatingLog) -> None:
        os.set_blocking(fd, False)
        self._fd: int | None = fd
        self.log = log

    def fileno(self) -> int:
        """The descriptor to watch. Raises ValueError once closed."""
        if self._fd is None:
            raise ValueError("output is closed")
        return self._fd

    @property
    def open(self) -> bool:
        return self._fd is not None

    def copy(self, now: float) -> bool:
        """Copy one piece. False: there is none now, or no more at all (`open` tells)."""
        if self._fd is None:
            return False
        try:
            data = os.read(self._fd, PIECE)
        except BlockingIOError:
            return False
        if not data:
            self._shut()
            return False
        self.log.write(data, now)
        return True

    def finish(self, now: float) -> None:
        """The tree is gone: copy the rest of the pipe, and close. Bounded, should a stranger hold the other end."""
        for _ in range(_LAST_PIECES):
            if not self.copy(now):
                break
        self._shut()
        self.log.close()

    def _shut(self) -> None:
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None
