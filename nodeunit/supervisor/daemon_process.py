"""The daemon as a child process: it is started, watched for silence, replaced, and restarted with growing delays."""

import os
import signal
import socket
import time
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

from nodeunit.process.environment import base_environment
from nodeunit.supervisor.child_processes import fork_and_exec
from nodeunit.supervisor.stderr_log import StderrLog

_FIRST_DELAY_S = 0.1
_LONGEST_DELAY_S = 5.0
_HEALTHY_AFTER_S = 30.0
_REPLACE_TIMEOUT_S = 10.0


class DaemonExit(NamedTuple):
    """How a daemon ended: its exit status (negative for a signal), and whether it had sent `leave`."""

    status: int
    had_left: bool

    def __str__(self) -> str:
        return f"exit code {self.status}" if self.status >= 0 else f"signal {-self.status}"


class DaemonProcess:
    """Keeps one daemon running. Times are seconds of CLOCK_BOOTTIME; silence is measured without suspend."""

    def __init__(
        self,
        argv: list[str],
        settings: bytes,
        directory: str,
        silence_s: float,
        limits: tuple[int, int],
        stderr_log: StderrLog,
        connect: Callable[[int, socket.socket], None],
    ) -> None:
        self._argv = argv
        self._settings = settings
        self._directory = directory
        self._silence_s = silence_s
        self._limits = limits
        self._log = stderr_log
        self._connect = connect
        self._start_at: float | None = 0.0
        self._delay_s = _FIRST_DELAY_S
        self._started_at = 0.0
        self._left = False
        self._replace_by: float | None = None
        self._heard_at: float | None = None
        self.pid: int | None = None
        self.ever_ready = False

    def tick(self, now: float) -> float | None:
        """Starts the daemon when it is due; kills it if it does not exit for its successor or is stuck."""
        if self.pid is None:
            if self._start_at is None or now < self._start_at:
                return self._start_at
            self._start(now)
            return None
        if self._replace_by is not None and now >= self._replace_by:
            self._end("does not exit for its successor", now)
        elif self._heard_at is not None:
            silent_s = time.monotonic() - self._heard_at
            if silent_s < self._silence_s:
                return min(now + self._silence_s - silent_s, self._replace_by or float("inf"))
            self._end(f"has sent nothing for {silent_s:.1f} s", now)
        return self._replace_by

    def heard(self, alive: bool) -> None:
        """The daemon has sent something. `alive`: it was the `alive` request, which promises further ones."""
        if alive or self._heard_at is not None:
            self._heard_at = time.monotonic()

    def mark_ready(self) -> None:
        self.ever_ready = True

    def mark_leaving(self) -> None:
        self._left = True

    def begin_replacement(self, now: float) -> None:
        """The daemon was asked to exit; it is killed if it does not do so in time."""
        if self.pid is not None:
            self._replace_by = now + _REPLACE_TIMEOUT_S

    def start_no_more(self) -> None:
        """Starts no further daemon."""
        self._start_at = None

    def kill(self) -> None:
        if self.pid is not None:
            os.kill(self.pid, signal.SIGKILL)  # not reaped yet, so no other process has this pid

    def ended(self, status: int, now: float) -> DaemonExit:
        """The daemon is about to be reaped. The next starts after the backoff, or at once if it was replaced."""
        ended = DaemonExit(status, self._left)
        if self._replace_by is not None or now - self._started_at >= _HEALTHY_AFTER_S:
            self._delay_s = _FIRST_DELAY_S
        if self._start_at is not None:
            self._start_at = now if self._replace_by is not None else now + self._delay_s
            if self._start_at > now:
                self._delay_s = min(self._delay_s * 2, _LONGEST_DELAY_S)
        self.pid, self._left, self._replace_by, self._heard_at = None, False, None, None
        return ended

    def _start(self, now: float) -> None:
        ours, theirs = socket.socketpair()
        settings = _readable(self._settings)
        argv = [*self._argv, "--settings-fd", str(settings), "--link-fd", str(theirs.fileno())]
        try:
            spawned = fork_and_exec(
                argv,
                base_environment(),
                keep=(settings, theirs.fileno()),
                limits=self._limits,
                before_exec=partial(_enter, self._directory),
            )
        except OSError as error:
            ours.close()
            self._start_at = now + self._delay_s
            self._delay_s = min(self._delay_s * 2, _LONGEST_DELAY_S)
            self._log.warning(f"the daemon cannot be started: {error.strerror}")
            return
        finally:
            os.close(settings)
            theirs.close()
        self.pid, self._started_at = spawned.pid, now
        self._connect(spawned.outcome, ours)

    def _end(self, why: str, now: float) -> None:
        self._log.warning(f"daemon {self.pid} {why}: it is killed")
        self._replace_by = now + _REPLACE_TIMEOUT_S
        self._heard_at = None
        self.kill()


def _readable(content: bytes) -> int:
    """A descriptor from which `content` can be read once. A socket, because files and pipes of a process can be opened
    by way of /proc; a memory file if it is too much for a socket."""
    sender, receiver = socket.socketpair()
    with sender:
        sender.setblocking(False)
        if sender.send(content) == len(content):
            return receiver.detach()
    receiver.close()
    file = os.memfd_create("nodeunit-settings")
    os.write(file, content)
    os.lseek(file, 0, os.SEEK_SET)
    return file


def _enter(directory: str) -> None:
    """Runs in the child. The directory may have been deleted since the unit was started."""
    try:
        os.chdir(directory)
    except OSError:
        os.chdir("/")
