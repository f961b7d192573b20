"""One program: from the fork to the last process of its tree.

    starting ──exec──> running ──asked──> stopping ──main process ended──> ending ──tree gone, reaped──> (reported)
        └── exec failed ───────────────────────────────────────────────────────────────────────────────> (reported)

The ended main process stays a zombie until the rest of its tree is gone. A zombie keeps its number, so pid, group and
session are not reused while they are needed to find the rest.
"""

import os
import signal
from collections.abc import Iterable
from typing import Any

from nodeunit.process.environment import CLAIM_VERSION
from nodeunit.process.group_limits import Limit
from nodeunit.process.process_table import ProcessEntry, ProcessTable, signal_exactly
from nodeunit.supervisor.child_processes import Spawned
from nodeunit.supervisor.lease import LeaseDeadline
from nodeunit.supervisor.protocol import Cause, Exited, NotEnded, OnDisconnect, RunningProgram, Started
from nodeunit.supervisor.requests import NO_REASON, SpawnRequest, StopReason

_NEVER = float("inf")


class Program:
    """The state of one key. Times are seconds of CLOCK_BOOTTIME."""

    def __init__(self, request: SpawnRequest, spawned: Spawned, kept: list[Limit], now: float) -> None:
        self.key = request.key
        self.on_disconnect: OnDisconnect = request.on_disconnect
        self.grace_s = request.grace_s
        self.meta: dict[str, Any] = request.meta
        self.kept = kept
        """The limits that the kernel keeps."""
        self.claim_version = request.env.get(CLAIM_VERSION, "")
        self.pid = spawned.pid
        self.start_time = spawned.start_time
        self.started_at = now
        self.outcome: int | None = spawned.outcome
        """The descriptor from which the outcome of exec is read; None once it is known."""
        self.failure = ""
        self.failed_because = ""
        self.lacks = ""
        self.said_not_to_end = False
        self.cause: Cause = "exited"
        self.reason = NO_REASON
        self.out_of_memory = False
        self.ended_at: float | None = None
        self.exit_code: int | None = None
        self.signal: int | None = None
        self._stop_signal = request.stop_signal
        self._kill_at = _NEVER
        self._known: dict[int, int] = {}

    @property
    def identity(self) -> tuple[int, int]:
        return self.pid, self.start_time

    @property
    def stopping(self) -> bool:
        return self._kill_at != _NEVER

    def describe(self) -> RunningProgram:
        return {
            "key": self.key,
            "pid": self.pid,
            "start_time": self.start_time,
            "on_disconnect": self.on_disconnect,
            "started_at": self.started_at,
            "stopping": self.stopping,
            "kept": self.kept,
            "meta": self.meta,
        }

    def started(self) -> Started:
        """The report of its start."""
        return {
            "event": "started",
            "key": self.key,
            "pid": self.pid,
            "start_time": self.start_time,
            "kept": self.kept,
            "meta": self.meta,
        }

    def exited(self, now: float) -> Exited:
        """The report of its end. Valid only when its whole tree is gone."""
        report: Exited = {
            "event": "exited",
            "key": self.key,
            "pid": self.pid,
            "start_time": self.start_time,
            "exit_code": self.exit_code,
            "signal": self.signal,
            "ran_s": round((self.ended_at or now) - self.started_at, 3),
            "stopped": self.cause != "exited",
            "cause": self.cause,
            "meta": self.meta,
        }
        if self.reason.because:
            report["because"] = self.reason.because
        if self.reason.detail:
            report["detail"] = self.reason.detail
        if self.out_of_memory:
            report["oom"] = True
        return report

    def how_it_ended(self) -> str:
        """The same in two words, for its log."""
        if self.failure:
            return "not started"
        return f"signal {self.signal}" if self.exit_code is None else f"exit {self.exit_code}"

    def kill_at(self, lease: LeaseDeadline) -> float:
        """When its tree is killed: the end of its grace period or of the lease, whichever is first."""
        return min(self._kill_at, lease.kill_at) if self.on_disconnect == "stop" else self._kill_at

    def term_at(self, lease: LeaseDeadline) -> float:
        """When it is asked to end unless the lease is renewed."""
        if self.on_disconnect == "keep" or self.stopping or self.ended_at is not None:
            return _NEVER
        return lease.term_at(self.grace_s)

    def request_stop(self, cause: Cause, kill_at: float, reason: StopReason = NO_REASON) -> bool:
        """What is left is killed at `kill_at`; a second request only shortens that. True: `ask` is to follow."""
        is_first = not self.stopping and self.ended_at is None
        if is_first:
            self.cause, self.reason = cause, reason
        self._kill_at = min(self._kill_at, kill_at)
        return is_first

    def ask(self, tree: Iterable[ProcessEntry]) -> None:
        """Sends the stop signal once to each process of its tree. Its own group comes first, so that the main process
        does not find its children ended before it knows why; the kernel reaches all of a group at once."""
        self._signal_group(self._stop_signal)
        for entry in tree:
            if self.pid not in (entry.group, entry.pid):
                try:
                    signal_exactly(*entry.identity, self._stop_signal)
                except PermissionError:
                    continue  # of another user

    def kill_group(self) -> None:
        """Sends SIGKILL to the group, without reading /proc. The next reading of /proc finds the rest of the tree."""
        self._signal_group(signal.SIGKILL)

    def main_ended(self, code: int, status: int, now: float) -> None:
        """The main process is a zombie; `code` and `status` as in waitid. The rest of its tree is ended at once, unless
        it was asked to stop: then the tree was asked too, and has the rest of the grace period."""
        self.ended_at = now
        if code == os.CLD_EXITED:
            self.exit_code = status
        else:
            self.signal = status
        if not self.stopping:
            self._kill_at = now

    def living(self, table: ProcessTable, orphans: dict[str, list[ProcessEntry]]) -> list[ProcessEntry]:
        """The living processes of its tree: below the main process, in its session or group, orphans with its mark, and
        what belonged to it at the last reading."""
        roots = [entry for identity in self._known.items() if (entry := table.find(identity)) is not None]
        roots += orphans.get(self.key, [])
        roots += table.led_by(self.pid)
        if (main := table.find(self.identity)) is not None:
            roots.append(main)
        tree = [entry for entry in table.with_descendants(roots).values() if entry.alive]
        self._known = dict(entry.identity for entry in tree)
        return tree

    def look(self, table: ProcessTable, orphans: dict[str, list[ProcessEntry]]) -> tuple[list[ProcessEntry], bool]:
        """The same, and whether something belongs to its tree that did not at the last reading."""
        known = self._known
        tree = self.living(table, orphans)
        return tree, any(known.get(entry.pid) != entry.start_time for entry in tree)

    def cannot_end(self, living: list[ProcessEntry]) -> NotEnded:
        """The report of a tree that outlives SIGKILL."""
        found = [f"process {entry.pid} {_why_it_lives(entry)}" for entry in living[:3]]
        more = f" and {len(living) - 3} more" if len(living) > 3 else ""
        return {
            "event": "not_ended",
            "key": self.key,
            "pid": self.pid,
            "detail": ", ".join(found) + more,
            "meta": self.meta,
        }

    def _signal_group(self, signum: int) -> None:
        # The main process is not reaped, so the number is still its own. The identity of a group could not be checked.
        for send in (os.killpg, os.kill):
            try:
                send(self.pid, signum)
                return
            except ProcessLookupError:
                continue  # between fork and setsid it has no group of its own yet
            except PermissionError:
                return  # it runs as another user, whose processes may not be signalled


def _why_it_lives(entry: ProcessEntry) -> str:
    """Why SIGKILL does not end it, as far as /proc shows."""
    if entry.state == "D":
        return "is in uninterruptible sleep"
    try:
        signal_exactly(*entry.identity, signal.SIGKILL)
    except PermissionError:
        owner = os.stat(f"/proc/{entry.pid}").st_uid
        return f"belongs to user {owner}, whose processes this unit may not signal"
    except OSError:
        pass
    return "has not ended yet"
