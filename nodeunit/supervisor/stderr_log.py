"""The supervisor's own log, on standard error, in the format of `nodeunit.log`.

`logging` would be a third of the supervisor's memory, and a plain write could block, because standard error may be a
pipe whose reader is stuck, or a file on a disk that hangs. A line that cannot be written at once is dropped. The next
line says how many were dropped.
"""

import os
import socket
import stat
import time
from collections.abc import Callable

from nodeunit.plain import MOST_LINE, plain

_STDERR = 2
_RATE_LIMIT_S = 10.0


class StderrLog:
    """Writes lines. No method raises or waits."""

    def __init__(self, fd: int = _STDERR) -> None:
        self._fd = fd
        self._socket: socket.socket | None = None
        self._silent_until: dict[str, float] = {}
        self._is_file = False
        self._pass_on: Callable[[bytes], bool] | None = None
        self._dropped = 0
        try:
            mode = os.fstat(fd).st_mode
            self._is_file = stat.S_ISREG(mode)
            if stat.S_ISSOCK(mode):
                self._socket = socket.socket(fileno=os.dup(fd))
            elif not self._is_file:
                # Opened again, because O_NONBLOCK on the inherited description would also affect the daemon and the
                # shell. A plain file is not opened again, because its position must stay shared with the daemon.
                self._fd = os.open(f"/proc/self/fd/{fd}", os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
        except OSError:
            pass  # closed, or a terminal of another user: use the inherited descriptor

    def write_files_by(self, pass_on: Callable[[bytes], bool]) -> None:
        """From now on a line for a plain file is given to another process, because writes to plain files can block.
        `pass_on` returns False for a line that it cannot take."""
        if self._is_file:
            self._pass_on = pass_on

    def info(self, text: str) -> None:
        self._write("INFO", text)

    def warning(self, text: str) -> None:
        self._write("WARNING", text)

    def rate_limited(self, subject: str, text: str) -> None:
        """A warning whose cause could repeat a thousand times per second: at most one per subject every ten seconds."""
        now = time.monotonic()
        if now >= self._silent_until.get(subject, 0.0):
            self._silent_until[subject] = now + _RATE_LIMIT_S
            self._write("WARNING", text)

    def error(self, doing: str, error: BaseException) -> None:
        """An unexpected error that the caller survives, with the place where it was raised."""
        place, trace = "", error.__traceback__
        while trace is not None:
            place = f" ({os.path.basename(trace.tb_frame.f_code.co_filename)}:{trace.tb_lineno})"
            trace = trace.tb_next
        self.rate_limited(f"{doing}{place}", f"{doing} failed and continues: {type(error).__name__}: {error}{place}")

    def _write(self, level: str, text: str) -> None:
        if self._dropped and self._put(
            "WARNING", f"{self._dropped} lines of this log were dropped, as it was not read"
        ):
            self._dropped = 0
        if self._dropped or not self._put(level, text):
            self._dropped += 1

    def _put(self, level: str, text: str) -> bool:
        now = time.time()
        local = time.localtime(now)
        offset = time.strftime("%z", local)
        moment = f"{time.strftime('%Y-%m-%dT%H:%M:%S', local)}.{int(now * 1000) % 1000:03d}{offset[:3]}:{offset[3:]}"
        line = f"{moment} {level} nodeunit.supervisor: {plain(text, MOST_LINE)}\n".encode(errors="backslashreplace")
        try:
            if self._pass_on is not None:
                return self._pass_on(line)
            if self._socket is not None:
                self._socket.send(line, socket.MSG_DONTWAIT | socket.MSG_NOSIGNAL)
            else:
                os.write(self._fd, line)
        except OSError:
            return False
        return True
