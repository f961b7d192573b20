"""How the daemon and the supervisor log: one line per record, on standard error, without ever waiting for a reader."""

import logging
import os
import threading
from collections import deque
from datetime import datetime

from nodeunit.plain import MOST_LINE, plain

STDERR = 2

MOST_WAITING = 1000
"""The most lines that may wait for a reader. Further lines are dropped and counted."""

FLUSH_WITHIN_S = 1.0
"""How long an ending process waits for the remaining lines to be written."""


class NonBlockingHandler(logging.Handler):
    """Writes lines to a descriptor in a separate thread.

    Standard error may be a pipe that is not read, a stopped terminal, or a file on a disk that hangs: a write to it
    may take forever, and the process that logs must renew a lease. Lines that do not fit are counted, and the count is
    logged once all waiting lines have been written.
    """

    def __init__(self, fd: int) -> None:
        super().__init__()
        self._fd = fd
        self._lines: deque[bytes] = deque()
        self._dropped = 0
        self._writing = False
        self._changed = threading.Condition()
        threading.Thread(target=self._run, name="log", daemon=True).start()

    def emit(self, record: logging.LogRecord) -> None:
        """Accepts the line of a record, or counts it as dropped."""
        line = (self.format(record) + "\n").encode(errors="backslashreplace")
        with self._changed:
            if len(self._lines) < MOST_WAITING:
                self._lines.append(line)
                self._changed.notify_all()
            else:
                self._dropped += 1

    def flush(self) -> None:
        """Returns when all is written, or after a second."""
        with self._changed:
            self._changed.wait_for(lambda: not self._lines and not self._writing, FLUSH_WITHIN_S)

    def _run(self) -> None:
        while True:
            with self._changed:
                self._writing = False
                self._changed.notify_all()
                self._changed.wait_for(lambda: self._lines)
                self._writing = True
                line = self._lines.popleft()
                if not self._lines and self._dropped:
                    self._lines.append(self._say_dropped())
            self._write(line)  # without the lock, because nothing may wait for this

    def _say_dropped(self) -> bytes:
        text = f"{self._dropped} lines of this log were dropped, because it was not read"
        self._dropped = 0
        record = logging.makeLogRecord(
            {"name": __name__, "levelno": logging.WARNING, "levelname": "WARNING", "msg": text}
        )
        return (self.format(record) + "\n").encode()

    def _write(self, line: bytes) -> None:
        try:
            while line:
                line = line[os.write(self._fd, line) :]
        except OSError:
            pass  # closed, or a full disk; there is nowhere else to report it


class _Line(logging.Formatter):
    def formatMessage(self, record: logging.LogRecord) -> str:
        record.message = plain(record.message, MOST_LINE)
        return super().formatMessage(record)

    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:
        return datetime.fromtimestamp(record.created).astimezone().isoformat(timespec="milliseconds")


def configure(level: str, fd: int = STDERR) -> None:
    """Replaces the configured logging by a log to a descriptor, from `level` (any case) upwards.

    A line has local time with milliseconds and offset, level, logger and message; a traceback follows on further lines.
    Raises ValueError for a level that `logging` does not know.
    """
    handler = NonBlockingHandler(fd)
    handler.setFormatter(_Line("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
