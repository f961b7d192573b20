"""What the supervisor itself has to say, on standard error, in the form of `nodeunit.log`.

Not by `logging`, which is a third of the supervisor's memory, and not by a plain write: standard error may be a pipe
whose reader is stuck, and no sentence is worth the programs. What cannot be written at once is dropped.
"""

import os
import socket
import stat
import time

_STDERR = 2
_SELDOM_S = 10.0


class OwnLog:
    """Writes lines. Nothing raises, nothing waits."""

    def __init__(self, fd: int = _STDERR) -> None:
        self._fd = fd
        self._socket: socket.socket | None = None
        self._quiet_until: dict[str, float] = {}
        try:
            mode = os.fstat(fd).st_mode
            if stat.S_ISSOCK(mode):
                self._socket = socket.socket(fileno=os.dup(fd))
            elif not stat.S_ISREG(mode):
                # A description of our own: O_NONBLOCK on the inherited one would also hit the daemon and the shell. Not
                # for a plain file, where the position in it is shared with the daemon and must stay so.
                self._fd = os.open(f"/proc/self/fd/{fd}", os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
        except OSError:
            pass  # closed, or a terminal of another user: the inherited one has to do

    def info(self, text: str) -> None:
        self._write("INFO", text)

    def warning(self, text: str) -> None:
        self._write("WARNING", text)

    def seldom(self, subject: str, text: str) -> None:
        """A warning that its cause could repeat a thousand times a second: at most one on a subject in ten seconds."""
        now = time.monotonic()
        if now >= self._quiet_until.get(subject, 0.0):
            self._quiet_until[subject] = now + _SELDOM_S
            self._write("WARNING", text)

    def error(self, doing: str, error: BaseException) -> None:
        """An error that should not be, with the place where it arose, and that is survived."""
        place, trace = "", error.__traceback__
        while trace is not None:
            place = f" ({os.path.basename(trace.tb_frame.f_code.co_filename)}:{trace.tb_lineno})"
            trace = trace.tb_next
        self.seldom(f"{doing}{place}", f"{doing} failed and goes on: {type(error).__name__}: {error}{place}")

    def _write(self, level: str, text: str) -> None:
        now = time.time()
        local = time.localtime(now)
        offset = time.strftime("%z", local)
        moment = f"{time.strftime('%Y-%m-%dT%H:%M:%S', local)}.{int(now * 1000) % 1000:03d}{offset[:3]}:{offset[3:]}"
        line = f"{moment} {level} nodeunit.supervisor: {text}\n".encode(errors="backslashreplace")
        try:
            if self._socket is not None:
                self._socket.send(line, socket.MSG_DONTWAIT | socket.MSG_NOSIGNAL)
            else:
                os.write(self._fd, line)
        except OSError:
            pass
