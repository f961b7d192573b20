"""The guard: a second process that ends programs when the supervisor is frozen or dead.

It is a small child of the supervisor in a session of its own, because a Ctrl-Z on the terminal stops supervisor and
daemon. It does two things on its own:

- If the supervisor is dead, its programs died with it, but what they had started did not. The guard finds those
  processes by their mark and ends them (`nodeunit.process.leftovers`).
- If the lease is about to expire and the supervisor has not acted in time, the guard ends the programs that must stop.

If the guard dies, the supervisor starts another. One risk remains: that both are frozen and the programs
are not.

The guard knows the lease and the programs from memory that it shares with the supervisor (`SharedGuardState`). A pipe
would have to be read, and could be full.
"""

import mmap
import os
import select
import signal
import struct
from typing import NamedTuple

from nodeunit.clock import boottime
from nodeunit.process.control_groups import ControlGroups
from nodeunit.process.leftovers import end_leftovers
from nodeunit.process.linux import BootTimer, set_name
from nodeunit.process.process_table import ProcessTable, kill_all, read_mark
from nodeunit.supervisor import signals
from nodeunit.supervisor.child_processes import Reaper, fork_only
from nodeunit.supervisor.log_writer import LogWriter
from nodeunit.supervisor.stderr_log import StderrLog

MARGIN_S = 0.3
"""The guard sends SIGKILL this long before the lease expires, so that normally the supervisor was earlier."""

_CHECK_AGAIN_AFTER_S = 0.02
_NOTHING_LEFT_S = 1.0  # all are dead, but the supervisor has not published that yet
_LEFTOVERS_WITHIN_S = 30.0
_START_AGAIN_AFTER_S = 1.0
_STOPPED_WITHIN_S = 1.0

_HEAD = struct.Struct("=dI")  # when the lease expires, length of the text
_PAGE_BYTES = 2 * 1024 * 1024


class GuardedProgram(NamedTuple):
    """A program that must stop with the lease. pid and start time are 0 while it is being forked."""

    pid: int
    start_time: int
    key: str


class GuardState(NamedTuple):
    """When the lease expires (seconds of CLOCK_BOOTTIME), and which programs stop with it."""

    expires: float
    programs: tuple[GuardedProgram, ...]


class SharedGuardState:
    """A `GuardState` in memory made before the fork: the supervisor writes, the guard reads.

    There are two pages: one is written while the other is valid, and a byte, written last, says which is valid. So the
    guard finds the last complete state even if the supervisor was frozen while it wrote. Only written memory is used.
    """

    def __init__(self) -> None:
        self._memory = mmap.mmap(-1, 1 + 2 * _PAGE_BYTES)

    def write(self, state: GuardState) -> None:
        """Publishes a state. Raises ValueError for more text than a page holds, some twenty thousand programs."""
        text = "\n".join(f"{program.pid} {program.start_time} {program.key}" for program in state.programs).encode()
        if _HEAD.size + len(text) > _PAGE_BYTES:
            raise ValueError(f"{len(state.programs)} programs are more than the guard can watch")
        page = 1 - self._memory[0]
        start = 1 + page * _PAGE_BYTES
        _HEAD.pack_into(self._memory, start, state.expires, len(text))
        self._memory[start + _HEAD.size : start + _HEAD.size + len(text)] = text
        self._memory[0] = page

    def read(self) -> GuardState:
        while True:
            page = self._memory[0]
            start = 1 + page * _PAGE_BYTES
            expires, length = _HEAD.unpack_from(self._memory, start)
            text = self._memory[start + _HEAD.size : start + _HEAD.size + length]
            if self._memory[0] == page:
                break
        fields = (line.split(" ", 2) for line in text.decode().splitlines())
        return GuardState(
            expires, tuple(GuardedProgram(int(pid), int(start_time), key) for pid, start_time, key in fields)
        )


class Guard:
    """The supervisor's side: keeps one guard running and tells it about changes."""

    def __init__(
        self, address: str, groups: ControlGroups | None, reaper: Reaper, logs: LogWriter, stderr_log: StderrLog
    ) -> None:
        self._address = address
        self._logs = logs
        self._groups = groups
        self._reaper = reaper
        self._log = stderr_log
        self._shared = SharedGuardState()
        self._alarm: int | None = None
        self._start_at = 0.0
        self._published = GuardState(0.0, ())
        self.pid: int | None = None

    def tick(self, now: float) -> float | None:
        """Starts a guard if there is none, at most one per second."""
        if self.pid is not None:
            return None
        if now < self._start_at:
            return self._start_at
        self._start_at = now + _START_AGAIN_AFTER_S
        if self._alarm is not None:
            os.close(self._alarm)
        watched, self._alarm = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        supervisor = os.getpid()
        try:
            process = _GuardProcess(watched, supervisor, self._shared, self._address, self._groups, self._logs)
            self.pid = fork_only(process.run, keep=(watched, *self._logs.descriptors()))
        finally:
            os.close(watched)
        self._reaper.expect(self.pid, self._ended)
        return None

    def _ended(self, code: int, status: int) -> bool:
        self._log.warning(f"guard {self.pid} has ended; another one is started")
        self.pid = None
        return True

    def stop(self) -> None:
        """Ends the guard, because nothing is left to guard. Waits briefly, so that none remains."""
        if self._alarm is None or self.pid is None:
            return
        os.close(self._alarm)
        handle = os.pidfd_open(self.pid)
        select.select([handle], [], [], _STOPPED_WITHIN_S)
        os.close(handle)

    def publish(self, state: GuardState) -> None:
        """Publishes the state. Wakes the guard only for changes that it might otherwise see too late."""
        if state == self._published:
            return
        self._shared.write(state)
        sooner = state.expires < self._published.expires or (state.programs and not self._published.programs)
        self._published = state
        if sooner and self._alarm is not None:
            try:
                os.write(self._alarm, b"!")
            except (BlockingIOError, BrokenPipeError):
                pass  # it has not read the last wake-up yet, or it is dead and the next guard reads the shared state


class _GuardProcess:
    """The guard's side, in its own process."""

    def __init__(
        self,
        watched: int,
        supervisor: int,
        shared: SharedGuardState,
        address: str,
        groups: ControlGroups | None,
        logs: LogWriter,
    ) -> None:
        self._logs = logs
        self._watched = watched
        self._supervisor = supervisor
        self._shared = shared
        self._address = address
        self._groups = groups

    def run(self) -> None:
        for signum in signals.NOT_FOR_HELPERS:
            signal.signal(signum, signal.SIG_IGN)  # it ends only after the supervisor has ended
        set_name("nodeunit-guard")
        stderr_log, timer = StderrLog(), BootTimer()  # those of the supervisor were closed with its descriptors
        stderr_log.write_files_by(self._logs.say_at_once)
        while True:
            timer.arm(self._act(stderr_log))
            ready, _, _ = select.select([self._watched, timer.fileno()], [], [])
            if timer.fileno() in ready:
                timer.acknowledge()
            if self._watched in ready and not os.read(self._watched, 4096):
                break
        if self._groups:
            self._groups.end_all(_LEFTOVERS_WITHIN_S)
        for leftover in end_leftovers(self._address, _LEFTOVERS_WITHIN_S):
            stderr_log.warning(f"guard: process {leftover.entry.pid} of {leftover.key} cannot be ended")

    def _act(self, stderr_log: StderrLog) -> float | None:
        """Ends what must be dead by now; returns when to check again."""
        state = self._shared.read()
        if not state.programs:
            return None
        if boottime() < state.expires - MARGIN_S:
            return state.expires - MARGIN_S
        if not self._end(state):
            return boottime() + _NOTHING_LEFT_S
        stderr_log.warning("guard: the lease expired and the supervisor did not act; the guard ended what must stop")
        return boottime() + _CHECK_AGAIN_AFTER_S

    def _end(self, state: GuardState) -> bool:
        """Sends SIGKILL to the trees of the programs in `state`. False if none of their processes is alive."""
        keys = {program.key for program in state.programs}
        populated = {key for key in keys if self._groups and self._groups.is_populated(key)}
        for key in populated:
            assert self._groups is not None
            self._groups.kill(key)
        table = ProcessTable.read()
        roots = []
        for program in state.programs:
            main = table.find((program.pid, program.start_time))
            if main is not None:
                roots += [main, *table.led_by(main.pid)]
        for child in table.children(self._supervisor):
            mark = read_mark(child.pid)
            if mark is not None and mark.address == self._address and mark.key in keys:
                roots.append(child)
        living = [entry for entry in table.with_descendants(roots).values() if entry.alive]
        kill_all(living)
        return bool(living or populated)
