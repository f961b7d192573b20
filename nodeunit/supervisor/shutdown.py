"""How the supervisor ends: by a drain if possible, and without leaving programs behind that can be ended.

SIGTERM ──> drain (the daemon stops the programs, releases the rows, leaves) ──> its exit 0 ──> exit 0
    │            └── too slow, or a second SIGTERM ─┐
    └── no daemon is running ───────────────────────┴──> end the programs ourselves ──> exit 3
"""

import os
import time
from collections.abc import Callable

from nodeunit.process.process_table import ProcessTable, kill_all
from nodeunit.supervisor.daemon_process import DaemonExit, DaemonProcess
from nodeunit.supervisor.loop import Loop
from nodeunit.supervisor.programs import Programs
from nodeunit.supervisor.protocol import Event
from nodeunit.supervisor.stderr_log import StderrLog

EXIT_NOT_DRAINED = 3
"""The programs have ended, but the rows were not released: others take them over when the lease expires."""

EXIT_LEFT_BEHIND = 4
"""Some processes cannot be ended. Rows were not released: others take them over when the lease expires."""

REFUSALS = frozenset({2, *range(10, 60), 127})
"""The exit codes of a daemon after which a restart would not help: settings, identity, database (see
`nodeunit.errors`), usage, and the system's code for a missing program."""

_SAME_REQUEST_S = 1.0  # a terminal and a wrapper may both pass on one Ctrl-C, which is only one request
_RELEASE_WITHIN_S = 2.0  # for a daemon that has lost its supervisor to release its rows
_ORPHANS_WITHIN_S = 1.0
_LEFT_BEHIND_AFTER_S = 10.0  # for programs that survive SIGKILL


class Shutdown:
    """Decides when the supervisor ends, and with which exit code. `exempt`: the pids of children that are not ended."""

    def __init__(
        self,
        loop: Loop,
        programs: Programs,
        daemon: DaemonProcess,
        stderr_log: StderrLog,
        *,
        grace_s: float,
        drain_timeout_s: float,
        send: Callable[[Event], None],
        close_link: Callable[[], None],
        exempt: Callable[[], set[int]],
    ) -> None:
        self._loop = loop
        self._programs = programs
        self._daemon = daemon
        self._log = stderr_log
        self._grace_s = grace_s
        self._drain_timeout_s = drain_timeout_s
        self._send = send
        self._close_link = close_link
        self._exempt = exempt
        self._requested_at: float | None = None
        self._exit_code: int | None = None
        self._kill_daemon_at: float | None = None
        self._left_behind_at: float | None = None

    @property
    def draining(self) -> bool:
        return self._requested_at is not None

    @property
    def refuses_programs(self) -> bool:
        return self._exit_code is not None

    def request(self, now: float) -> None:
        """SIGTERM or SIGINT."""
        if self._requested_at is None:
            self._requested_at = now
            if self._daemon.pid is None:
                self._log.warning("ending without a drain, because no daemon is running")
                self._end_programs(EXIT_NOT_DRAINED, now, self._grace_s)
            else:
                self._log.info("draining")
                self._send({"event": "drain"})
        elif now > self._requested_at + _SAME_REQUEST_S:
            self._log.warning("asked to end once more: killing the programs")
            self._end_programs(EXIT_NOT_DRAINED, now, 0.0)

    def daemon_ended(self, ended: DaemonExit, now: float) -> None:
        if ended.had_left and ended.status == 0:
            self._end_programs(0, now, self._grace_s)
        elif not self._daemon.ever_ready and ended.status in REFUSALS:
            self._log.warning(f"the daemon cannot start ({ended})")
            self._end_programs(ended.status, now, self._grace_s)
        else:
            self._log.warning(f"the daemon has ended ({ended}), the programs continue")

    def tick(self, now: float) -> float | None:
        if self._exit_code is None:
            return self._wait_for_drain(now)
        if len(self._programs):
            return self._wait_for_programs(now)
        if self._daemon.pid is None:
            self._end_unmarked_orphans()
            self._loop.end(self._exit_code)
            return None
        if self._kill_daemon_at is None:
            self._send({"event": "ending"})
            self._close_link()
            self._kill_daemon_at = now + _RELEASE_WITHIN_S
        elif now >= self._kill_daemon_at:
            self._daemon.kill()
            self._kill_daemon_at = now + _RELEASE_WITHIN_S
        return self._kill_daemon_at

    def _wait_for_programs(self, now: float) -> float | None:
        """None while programs end. The wait for what cannot be ended is limited."""
        stuck = self._programs.not_ended()
        if not stuck or len(stuck) < len(self._programs):
            self._left_behind_at = None
            return None
        if self._left_behind_at is None:
            self._left_behind_at = now + _LEFT_BEHIND_AFTER_S
        if now < self._left_behind_at:
            return self._left_behind_at
        self._log.warning(f"ending all the same: what cannot be ended of {', '.join(stuck)} is left behind")
        self._daemon.kill()  # it would release the rows
        self._loop.end(EXIT_LEFT_BEHIND)
        return None

    def _wait_for_drain(self, now: float) -> float | None:
        if self._requested_at is None:
            return None
        give_up_at = self._requested_at + self._drain_timeout_s
        if now < give_up_at:
            return give_up_at
        self._log.warning(f"not drained within {self._drain_timeout_s:g} s: ending the programs")
        self._end_programs(EXIT_NOT_DRAINED, now, self._grace_s)
        return now

    def _end_programs(self, exit_code: int, now: float, grace_s: float) -> None:
        if self._exit_code is None:
            self._exit_code = exit_code
        self._daemon.start_no_more()
        self._programs.stop_all("shutdown", now, grace_s)

    def _end_unmarked_orphans(self) -> None:
        """Ends orphans without a mark, which belong to no known program. May wait, because no program is left."""
        give_up_at = time.monotonic() + _ORPHANS_WITHIN_S
        while time.monotonic() < give_up_at:
            table = ProcessTable.read()
            children = [child for child in table.children(os.getpid()) if child.pid not in self._exempt()]
            orphans = [entry for entry in table.with_descendants(children).values() if entry.alive]
            if not orphans:
                return
            kill_all(orphans)
            time.sleep(0.01)
