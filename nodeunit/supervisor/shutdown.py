"""How the supervisor ends: by a drain if it can be had, and never with a program left behind.

SIGTERM ──> drain (the daemon stops the programs, releases the rows, leaves) ──> its exit 0 ──> exit 0
    │            └── too slow, or a second SIGTERM ─┐
    └── no daemon is running ───────────────────────┴──> end the programs ourselves ──> exit 3
"""

import os
import time
from collections.abc import Callable

from nodeunit.process.process_table import ProcessTable, kill_all
from nodeunit.supervisor.daemon_process import DaemonKeeper, Ended
from nodeunit.supervisor.loop import Loop
from nodeunit.supervisor.programs import Programs
from nodeunit.supervisor.protocol import Event
from nodeunit.supervisor.stderr_log import OwnLog

EXIT_NOT_DRAINED = 3
"""The programs are ended, but the rows were not given back: others take them over when the lease has run out."""

REFUSALS = frozenset({2, *range(10, 60), 127})
"""Exit codes by which a daemon says that starting it again would not help: settings, identity, database (see
`nodeunit.errors`), usage, and what the system says when there is no such program."""

_SAME_WISH_S = 1.0  # a terminal and a wrapper often both pass on one Ctrl-C: that is no second request
_HANG_UP_S = 2.0  # for a daemon that has lost its supervisor to give back its rows
_STRAYS_S = 1.0


class Ending:
    """Decides when the supervisor ends, and with which exit code."""

    def __init__(
        self,
        loop: Loop,
        programs: Programs,
        keeper: DaemonKeeper,
        own_log: OwnLog,
        *,
        grace_s: float,
        drain_timeout_s: float,
        tell: Callable[[Event], None],
        hang_up: Callable[[], None],
        spared: Callable[[], set[int]],
    ) -> None:
        self._loop = loop
        self._programs = programs
        self._keeper = keeper
        self._own_log = own_log
        self._grace_s = grace_s
        self._drain_timeout_s = drain_timeout_s
        self._tell = tell
        self._hang_up = hang_up
        self._spared = spared
        self._asked_at: float | None = None
        self._exit_code: int | None = None
        self._kill_daemon_at: float | None = None

    @property
    def draining(self) -> bool:
        return self._asked_at is not None

    @property
    def refuses_programs(self) -> bool:
        return self._exit_code is not None

    def asked(self, now: float) -> None:
        """SIGTERM or SIGINT."""
        if self._asked_at is None:
            self._asked_at = now
            if self._keeper.pid is None:
                self._own_log.warning("ending without a drain, because no daemon is running")
                self._end_programs(EXIT_NOT_DRAINED, now, self._grace_s)
            else:
                self._own_log.info("draining")
                self._tell({"event": "drain"})
        elif now > self._asked_at + _SAME_WISH_S:
            self._own_log.warning("asked to end once more: killing the programs")
            self._end_programs(EXIT_NOT_DRAINED, now, 0.0)

    def daemon_ended(self, ended: Ended, now: float) -> None:
        if ended.had_left and ended.status == 0:
            self._end_programs(0, now, self._grace_s)
        elif not self._keeper.ever_ready and ended.status in REFUSALS:
            self._own_log.warning(f"the daemon cannot start ({ended})")
            self._end_programs(ended.status, now, self._grace_s)
        else:
            self._own_log.warning(f"the daemon has ended ({ended}), the programs go on")

    def tick(self, now: float) -> float | None:
        if self._exit_code is None:
            return self._wait_for_drain(now)
        if len(self._programs):
            return None
        if self._keeper.pid is None:
            self._end_strays()
            self._loop.end(self._exit_code)
            return None
        if self._kill_daemon_at is None:
            self._hang_up()
            self._kill_daemon_at = now + _HANG_UP_S
        elif now >= self._kill_daemon_at:
            self._keeper.kill()
            self._kill_daemon_at = now + _HANG_UP_S
        return self._kill_daemon_at

    def _wait_for_drain(self, now: float) -> float | None:
        if self._asked_at is None:
            return None
        give_up_at = self._asked_at + self._drain_timeout_s
        if now < give_up_at:
            return give_up_at
        self._own_log.warning(f"not drained within {self._drain_timeout_s:g} s: ending the programs")
        self._end_programs(EXIT_NOT_DRAINED, now, self._grace_s)
        return now

    def _end_programs(self, exit_code: int, now: float, grace_s: float) -> None:
        if self._exit_code is None:
            self._exit_code = exit_code
        self._keeper.no_more()
        self._programs.stop_all("shutdown", now, grace_s)

    def _end_strays(self) -> None:
        """Orphans without a mark, which belonged to nobody. Waiting is allowed: no program is left to wait for us."""
        give_up_at = time.monotonic() + _STRAYS_S
        while time.monotonic() < give_up_at:
            table = ProcessTable.read()
            children = [child for child in table.children(os.getpid()) if child.pid not in self._spared()]
            strays = [entry for entry in table.with_descendants(children).values() if entry.alive]
            if not strays:
                return
            kill_all(strays)
            time.sleep(0.01)
