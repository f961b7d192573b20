"""The supervisor: owns all parts, executes the daemon's requests and the signals of the system."""

import os
import signal
import socket
from collections.abc import Mapping
from functools import partial
from typing import Any

from nodeunit.clock import boottime
from nodeunit.process.control_groups import ControlGroups
from nodeunit.process.leftovers import Leftover, end_leftovers
from nodeunit.process.process_table import ProcessTable, signal_exactly
from nodeunit.process.program_user import ProgramUser
from nodeunit.supervisor import protocol, requests, signals
from nodeunit.supervisor.bootstrap import SupervisorSettings
from nodeunit.supervisor.child_processes import Reaper, read_failure
from nodeunit.supervisor.daemon_link import DaemonLink
from nodeunit.supervisor.daemon_process import DaemonProcess
from nodeunit.supervisor.guard import Guard, GuardState
from nodeunit.supervisor.handover import Handover
from nodeunit.supervisor.hello import parts_of
from nodeunit.supervisor.lease import LeaseDeadline
from nodeunit.supervisor.log_writer import LogWriter
from nodeunit.supervisor.logs import LogLimits
from nodeunit.supervisor.loop import Loop
from nodeunit.supervisor.programs import LEASE_EXPIRED, Programs
from nodeunit.supervisor.protocol import Event, Hello, Report
from nodeunit.supervisor.service_manager import ServiceManager
from nodeunit.supervisor.shortage import LEASE, LEFTOVER, lack_of
from nodeunit.supervisor.shutdown import Shutdown
from nodeunit.supervisor.stderr_log import StderrLog

_LEFTOVERS_WITHIN_S = 5.0
_BY_TREES = "programs are known by parents, sessions and marks, which one can leave"
_NOT_LIMITED = "the kernel keeps no limits, because no controllers are permitted; the unit measures"
_LEFT_OVER = ", left over from it, cannot be ended"


class Supervisor:
    """One unit's supervisor. `run` returns its exit code."""

    def __init__(
        self, settings: SupervisorSettings, content: bytes, limits: tuple[int, int], stderr_log: StderrLog
    ) -> None:
        """`content` is what each daemon gets: the settings of both."""
        self._settings = settings
        self._log = stderr_log
        with open("/proc/sys/kernel/random/uuid", encoding="ascii") as fresh:
            self._id = fresh.read().strip()
        # The process that became the supervisor by exec may already have children, which are left alone.
        self._inherited = {child.pid for child in ProcessTable.read().children(os.getpid())}
        self._leftovers: list[Leftover] = []
        self._link: DaemonLink | None = None
        self._handover = Handover()
        self._manager = ServiceManager(settings.notify_socket, settings.watchdog_s)
        self._loop = Loop(stderr_log)
        self._reaper = Reaper()
        self._groups = self._make_groups()
        self._logs = LogWriter(
            os.path.join(settings.log_directory, settings.address[:8]),
            self._loop,
            self._reaper,
            stderr_log,
            LogLimits(settings.log_max_bytes, settings.log_max_files, settings.log_compress),
        )
        stderr_log.write_files_by(self._logs.say)
        self._guard = Guard(settings.address, self._groups, self._reaper, self._logs, stderr_log)
        self._programs = Programs(
            settings.address,
            self._loop,
            self._reaper,
            self._logs,
            self._groups,
            limits,
            self._report,
            self._publish_guard_state,
            ProgramUser(*settings.run_as) if settings.run_as else None,
        )
        self._reaper.on_child_ended = self._programs.check_soon
        self._daemon = DaemonProcess(
            settings.daemon_argv, content, settings.start_directory, settings.daemon_silence_s, limits, stderr_log,
            self._connect,
        )  # fmt: skip
        self._shutdown = Shutdown(
            self._loop,
            self._programs,
            self._daemon,
            stderr_log,
            grace_s=settings.stop_grace_s,
            drain_timeout_s=settings.drain_timeout_s,
            send=self._send,
            close_link=self._close_link,
            exempt=lambda: self._inherited | {self._guard.pid or 0, self._logs.pid or 0},
        )

    def run(self) -> int:
        self._end_leftovers()
        self._handle_signals()
        # The order matters: first the daemon's requests, then what is due, and only then what has ended. So a program
        # that the guard killed while this process was frozen is reported as ended with the lease.
        self._loop.every_turn("logs", self._logs.tick)
        self._loop.every_turn("guard", self._guard.tick)
        self._loop.every_turn("requests", lambda now: self._link.tick(now) if self._link else None)
        self._loop.every_turn("programs", self._programs.tick)
        self._loop.every_turn("reaping", self._reaper.tick)
        self._loop.every_turn("daemon", self._daemon.tick)
        self._loop.every_turn("ending", self._shutdown.tick)
        self._loop.every_turn("service manager", self._manager.tick)
        exit_code = self._loop.run()
        self._guard.stop()
        self._logs.stop()
        if self._groups:
            self._groups.remove()
        return exit_code

    def _handle_signals(self) -> None:
        for signum in signals.DRAIN:
            self._loop.on_signal(signum, self._drain)
        for signum in signals.RELOAD:
            self._loop.on_signal(signum, self._replace_daemon)
        for signum in signals.REAP:
            self._loop.on_signal(signum, self._reaper.child_ended)
        for signum in signals.IGNORE:
            self._loop.on_signal(signum, partial(self._ignore, signals.name(signum)))

    def _drain(self) -> None:
        self._manager.stopping()
        self._shutdown.request(boottime())

    def _ignore(self, name: str) -> None:
        self._log.rate_limited(name, f"{name} has no meaning for a unit and is ignored: TERM drains it, HUP reloads it")

    def _make_groups(self) -> ControlGroups | None:
        if not self._settings.control_groups:
            self._log.info(f"{_BY_TREES}: control groups are switched off")
            return None
        try:
            groups = ControlGroups.create(self._settings.address, _LEFTOVERS_WITHIN_S)
        except OSError as error:
            self._log.info(f"{_BY_TREES}: no control groups, {error.strerror}")
            return None
        kept = groups.kinds_kept()
        limits = f"the kernel keeps their limits of {', '.join(kept)}" if kept else _NOT_LIMITED
        self._log.info(f"programs run in control groups below {groups}; {limits}")
        return groups

    def _end_leftovers(self) -> None:
        self._leftovers = end_leftovers(self._settings.address, _LEFTOVERS_WITHIN_S)
        for leftover in self._leftovers:
            self._log.warning(f"process {leftover.entry.pid} is left over from {leftover.key} and cannot be ended")

    def _connect(self, outcome: int, end: socket.socket) -> None:
        """Connects a started daemon; the outcome of its exec is read from `outcome`."""
        pid = self._daemon.pid
        assert pid is not None

        def read_exec_outcome(_: int) -> None:
            if failure := read_failure(outcome):
                self._log.warning(f"daemon: {failure.reason}")
            self._loop.unwatch(outcome)
            os.close(outcome)

        self._loop.watch(outcome, "exec of the daemon", read_exec_outcome)
        self._reaper.expect(pid, self._daemon_ended)
        self._link = DaemonLink(end, self._loop, self._log, self._execute)
        hello: Hello = {
            "event": "hello",
            "supervisor": self._id,
            "pid": os.getpid(),
            "programs": self._programs.describe(),
            "reports": self._handover.reports(),
            "states": self._handover.states(),
            "lease_expires": self._programs.lease.expires,
            "draining": self._shutdown.draining,
            "containment": "control_groups" if self._groups else "process_trees",
        }
        for part in parts_of(hello):
            self._send(part)

    def _daemon_ended(self, code: int, status: int) -> bool:
        if self._link is not None:
            self._link.finish()
            self._link = None
        ended = self._daemon.ended(status if code == os.CLD_EXITED else -status, boottime())
        self._shutdown.daemon_ended(ended, boottime())
        return True

    def _close_link(self) -> None:
        if self._link is not None:
            self._link.close()
            self._link = None

    def _replace_daemon(self) -> None:
        self._log.info("replacing the daemon")
        self._send({"event": "replace"})
        self._daemon.begin_replacement(boottime())

    def _send(self, event: Event) -> None:
        if self._link is not None:
            self._link.send(event)

    def _report(self, report: Report) -> None:
        self._send(self._handover.keep(report))

    def _publish_guard_state(self) -> None:
        self._guard.publish(GuardState(self._programs.lease.expires, self._programs.guarded()))

    def _execute(self, op: Mapping[str, Any]) -> None:
        """Executes one request of the daemon. An invalid request is logged, rate-limited, and ignored."""
        name, now = op.get("op"), boottime()
        self._daemon.heard(alive=name == "alive")
        try:
            match name:
                case "lease":
                    self._programs.renew(LeaseDeadline.until(requests.seconds_of(op, "expires_boottime"), now))
                case "spawn":
                    self._spawn(op, now)
                case "stop":
                    grace_s = max(requests.seconds_of(op, "grace_s"), 0.0)
                    self._programs.stop(requests.key_of(op), now + grace_s, requests.reason_of(op))
                case "ack":
                    self._handover.acknowledge(op.get("id"))
                case "remember":
                    self._handover.remember(requests.key_of(op), op.get("state"))
                case "ready":
                    self._log.info(f"daemon {self._daemon.pid} is ready")
                    self._daemon.mark_ready()
                    self._manager.ready()
                case "leave":
                    self._daemon.mark_leaving()
                case "probe":
                    self._send({"event": "probed", "lacks": self._programs.lack()})
                case "alive":
                    self._send({"event": "alive"})
                case _:
                    self._log.rate_limited("op", f"the daemon sent an unknown op: {name!r:.60}")
        except ValueError as error:
            self._log.rate_limited("request", f"the daemon's request {name!r:.60} is refused: {error}")

    def _spawn(self, op: Mapping[str, Any], now: float) -> None:
        """Starts a program, or reports why not."""
        key = requests.key_of(op)
        too_much, lacks = self._handover.refusal(key), ""
        try:
            request = requests.spawn_of(op, self._settings.address)
            refusal = too_much or self._refusal(request, now)
            if not refusal:
                self._programs.spawn(request, now)
        except (ValueError, OSError) as error:
            refusal = (error.strerror if isinstance(error, OSError) else None) or str(error)
            lacks = lack_of(error.errno) if isinstance(error, OSError) else ""
        if refusal:
            lacks = LEASE if refusal == LEASE_EXPIRED else LEFTOVER if refusal.endswith(_LEFT_OVER) else lacks
            failed = protocol.spawn_failed(key, refusal, lacks, requests.meta_of(op))
            (self._send if too_much else self._report)(failed)

    def _refusal(self, request: requests.SpawnRequest, now: float) -> str:
        if self._shutdown.refuses_programs:
            return "the supervisor is ending"
        for leftover in self._leftovers:
            if leftover.key == request.key and signal_exactly(*leftover.entry.identity, signal.SIGKILL):
                return f"process {leftover.entry.pid}{_LEFT_OVER}"
        return self._programs.refusal(request, now)
