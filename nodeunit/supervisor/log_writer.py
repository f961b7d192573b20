"""All output for files goes through a separate process, because a write to a hanging disk may take forever.

The supervisor reads the programs' output and passes it on in messages that are sent whole or not at all:

    keeps up   what does not fit into the socket waits here, up to a limit; then no more is read from the programs
    stalled    nothing has fitted for some seconds: output is read, dropped and counted, because a program must not wait
               for a disk either; the missing amount is logged when the writer continues

The writer ends when supervisor and guard have closed their ends, and all that they sent is written.
"""

import os
import select
import socket
from collections import deque
from collections.abc import Callable

from nodeunit.clock import boottime
from nodeunit.supervisor.child_processes import Reaper, fork_only
from nodeunit.supervisor.logs import CLOSE, OPEN, SAY, WRITE, LogLimits, write_logs
from nodeunit.supervisor.loop import READ, Loop
from nodeunit.supervisor.loop import WRITE as WRITABLE
from nodeunit.supervisor.stderr_log import StderrLog

PIECE = 64 * 1024
"""The most that is copied of one program in a turn of the loop, so that a chatty one does not starve the others."""

STALLED_AFTER_S = 2.0

DROPPABLE = (WRITE, SAY)

_MOST_WAITING = 1024 * 1024
_LAST_PIECES = 32
_START_AGAIN_AFTER_S = 1.0
_STOPPED_WITHIN_S = 1.0


class LogWriter:
    """Keeps one writer running and passes on what is to be written."""

    def __init__(self, directory: str, loop: Loop, reaper: Reaper, stderr_log: StderrLog, limits: LogLimits) -> None:
        self._directory = directory
        self._loop = loop
        self._reaper = reaper
        self._log = stderr_log
        self._limits = limits
        self._socket: socket.socket | None = None
        self._start_at = 0.0
        self._waiting: deque[bytes] = deque()
        self._waiting_bytes = 0
        self._full_since: float | None = None
        self._dropped: dict[str, int] = {}
        self._paused: set[int] = set()
        self.pid: int | None = None

    def tick(self, now: float) -> float | None:
        """Starts a writer if there is none, at most one per second, and notices when it is stalled."""
        if self.pid is None:
            if now < self._start_at:
                return self._start_at
            self._start_at = now + _START_AGAIN_AFTER_S
            self._start()
        if self._full_since is None or not self._paused:
            return None
        if now < self._full_since + STALLED_AFTER_S:
            return self._full_since + STALLED_AFTER_S
        self._log.warning("output is dropped, because the logs cannot be written: the disk does not answer")
        self._resume()
        return None

    def descriptors(self) -> tuple[int, ...]:
        """The descriptors that the guard keeps open for `say_at_once`."""
        return () if self._socket is None else (self._socket.fileno(),)

    def open(self, key: str, pid: int, claim_version: str) -> None:
        """Creates the log of a program before its first output, and notes that a run begins."""
        self._pass_on(_message(OPEN, key, f"{pid} {claim_version}".encode()))

    def close(self, key: str, pid: int, how: str) -> None:
        """Notes how a run has ended, and closes the log of a program; more output may follow later."""
        self._pass_on(_message(CLOSE, key, f"{pid} {how}".encode()))

    def write(self, key: str, data: bytes) -> None:
        """Passes on output of a program, at most `PIECE` bytes."""
        if not self._pass_on(_message(WRITE, key, data)):
            self._dropped[key] = self._dropped.get(key, 0) + len(data)

    def say(self, line: bytes) -> bool:
        """Passes on a line of the supervisor's own log, if that is a file. False if it was dropped."""
        return self._pass_on(SAY + line)

    def say_at_once(self, line: bytes) -> bool:
        """The same for the guard, without keeping anything back."""
        return self._send(SAY + line)

    def pauses(self, fd: int) -> bool:
        """Whether nothing may be read from `fd` for now. It is watched again when there is room or the writer is
        stalled."""
        if self._waiting_bytes < _MOST_WAITING or self._stalled(boottime()):
            return False
        self._loop.watch_for(fd, 0)
        self._paused.add(fd)
        return True

    def forget(self, fd: int) -> None:
        """Called before `fd` is closed."""
        self._paused.discard(fd)

    def stop(self) -> None:
        """Ends the writer. Waits briefly until everything is written."""
        if self._socket is None or self.pid is None:
            return
        self._socket.setblocking(True)
        self._socket.settimeout(_STOPPED_WITHIN_S)
        try:
            while self._waiting:
                self._socket.send(self._waiting.popleft())
        except OSError:
            pass  # it is dead or stalled
        self._socket.close()
        handle = os.pidfd_open(self.pid)
        select.select([handle], [], [], _STOPPED_WITHIN_S)
        os.close(handle)

    def _start(self) -> None:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        ours.setblocking(False)
        try:
            work: Callable[[], None] = lambda: write_logs(theirs, self._directory, self._limits)  # noqa: E731
            self.pid = fork_only(work, keep=(theirs.fileno(),))
        except OSError:
            ours.close()
            raise
        finally:
            theirs.close()
        self._socket = ours
        self._loop.watch(ours.fileno(), "log writer", lambda _: self._flush(), WRITABLE)
        self._loop.watch_for(ours.fileno(), WRITABLE if self._waiting else 0)
        self._reaper.expect(self.pid, self._ended)

    def _ended(self, code: int, status: int) -> bool:
        self._log.warning(f"log writer {self.pid} has ended; another one is started")
        self.pid = None
        if self._socket is not None:
            self._loop.unwatch(self._socket.fileno())
            self._socket.close()
            self._socket = None
        return True

    def _stalled(self, now: float) -> bool:
        return self._full_since is not None and now >= self._full_since + STALLED_AFTER_S

    def _pass_on(self, message: bytes) -> bool:
        """Sends a message or keeps it to send later. False if neither is possible."""
        if not self._waiting and self._send(message):
            return True
        if self._full_since is None:
            self._full_since = boottime()
        # The last output of an ended program may exceed the limit, because a pipe holds little and its log must be
        # closed.
        if message[:1] in DROPPABLE and self._waiting_bytes >= _MOST_WAITING and self._stalled(boottime()):
            return False
        self._waiting.append(message)
        self._waiting_bytes += len(message)
        if self._socket is not None:
            self._loop.watch_for(self._socket.fileno(), WRITABLE)
        return True

    def _send(self, message: bytes) -> bool:
        if self._socket is None:
            return False
        try:
            self._socket.send(message)
        except OSError:
            return False  # full, or the writer is dead and the next one gets what waits
        return True

    def _flush(self) -> None:
        while self._waiting and self._send(self._waiting[0]):
            self._waiting_bytes -= len(self._waiting.popleft())
            self._full_since = boottime()
        if not self._waiting:
            self._full_since = None
            if self._socket is not None:
                self._loop.watch_for(self._socket.fileno(), 0)
            for key, dropped in self._dropped.items():
                self._log.warning(f"{dropped} bytes of the output of {key} are missing: its log could not be written")
            self._dropped.clear()
        if self._waiting_bytes < _MOST_WAITING // 2:
            self._resume()

    def _resume(self) -> None:
        paused, self._paused = self._paused, set()
        for fd in paused:
            self._loop.watch_for(fd, READ)


class Output:
    """The read end of a program's standard output and error."""

    def __init__(self, fd: int, key: str, pid: int, claim_version: str, writer: LogWriter) -> None:
        os.set_blocking(fd, False)
        self._fd: int | None = fd
        self.pipe = f"pipe:[{os.fstat(fd).st_ino}]"
        """The pipe, as /proc shows it among the descriptors of who writes to it."""
        self._key = key
        self._pid = pid
        self._writer = writer
        writer.open(key, pid, claim_version)

    def fileno(self) -> int:
        """The descriptor to watch. Raises ValueError once closed."""
        if self._fd is None:
            raise ValueError("output is closed")
        return self._fd

    @property
    def open(self) -> bool:
        return self._fd is not None

    def copy(self) -> bool:
        """Copies one piece. False if there is none now, or none will come (see `open`)."""
        if self._fd is None or self._writer.pauses(self._fd):
            return False
        return self._copy_piece(self._fd)

    def finish(self, how: str) -> None:
        """Copies the rest of a dead tree's pipe, and closes. Bounded, because the other end may still be open. `how`
        the program has ended is noted in its log.
        """
        for _ in range(_LAST_PIECES):
            if self._fd is None or not self._copy_piece(self._fd):
                break
        self._shut()
        self._writer.close(self._key, self._pid, how)

    def _copy_piece(self, fd: int) -> bool:
        try:
            data = os.read(fd, PIECE)
        except BlockingIOError:
            return False
        if not data:
            self._shut()
            return False
        self._writer.write(self._key, data)
        return True

    def _shut(self) -> None:
        if self._fd is not None:
            self._writer.forget(self._fd)
            os.close(self._fd)
            self._fd = None


def _message(what: bytes, key: str, data: bytes = b"") -> bytes:
    return what + key.encode() + b"\n" + data
