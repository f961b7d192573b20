"""Compares what should run on this unit with what does run: starts, stops, restarts and parks programs.

The rows say what should run, the supervisor says what does run. Every change of either leads to `_reconcile`, which
compares them. A program runs one revision of its row under one claim: another revision or another claim is another
program.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Container, Set
from uuid import UUID

from nodeunit.clock import boottime
from nodeunit.daemon.health import HealthTimes
from nodeunit.daemon.live_program import LiveProgram, MeasuredLimits
from nodeunit.daemon.live_programs import LivePrograms
from nodeunit.daemon.outbox import Outbox
from nodeunit.daemon.process_events import STOPPED_AS_FAILED, Claim, ProcessEvents, claim_of
from nodeunit.daemon.program_environment import NotYet, Reading
from nodeunit.daemon.program_logs import ProgramLogs
from nodeunit.daemon.restart_records import Ready, RestartRecords
from nodeunit.daemon.spawn_request import Installing, NotRunnable, SpawnRequestBuilder
from nodeunit.daemon.supervisor_link import Message, SupervisorLink
from nodeunit.domain.deployment import Deployment
from nodeunit.domain.restart import RestartRule
from nodeunit.errors import DatabaseError
from nodeunit.supervisor.lease import LeaseDeadline
from nodeunit.supervisor.shortage import LEASE, LEFTOVER

log = logging.getLogger(__name__)

Claims = Set[tuple[UUID, int]]
"""Rows by id, each with the version of the claim by which the unit holds it."""

UNABLE_FOR_S = 30.0
"""The pause before a start is tried here again that failed because the unit lacked something."""

AGAIN_AFTER_S = 0.5


class Reconciler:
    """Outlives the epochs of its daemon: programs continue to run while the unit joins again.

    The supervisor keeps what must outlive the daemon and sends it with its `hello`: what runs, what is not in the log
    yet (`process_events`), and what is known of programs that failed (`restart_records`).
    """

    def __init__(
        self,
        link: SupervisorLink,
        outbox: Outbox,
        spawn_requests: SpawnRequestBuilder,
        rule: RestartRule,
        log_directory: str = "",
        health: HealthTimes = HealthTimes(),  # noqa: B008 - it cannot be changed
    ) -> None:
        self.started = asyncio.Event()
        """Set after each start, so that the heartbeat samples it soon."""
        self._link = link
        self._events = ProcessEvents(link, outbox)
        self._spawn_requests = spawn_requests
        self._restarts = RestartRecords(link, self._events, rule, ProgramLogs(log_directory))
        self._desired: dict[str, Deployment] = {}
        self._programs = LivePrograms(link, self._events, spawn_requests.grace_s, health, self._on_ready)
        self._adopted: set[str] = set()
        self._releasing: set[str] = set()
        self._rows_changed = asyncio.Event()
        self._rows_are_current = False
        self._invalidations = 0
        self._lease = LeaseDeadline()
        self._least_left_s = 0.0
        self._draining = False
        self.unable = asyncio.Event()
        """Set while there are rows whose programs cannot be started because the unit lacks something."""
        self.lack = ("", "")
        """What the unit lacked last, and the supervisor's description of it."""
        self._unable: set[str] = set()
        self._trial: asyncio.Future[str] | None = None
        self._next: asyncio.TimerHandle | None = None

    def processes(self) -> dict[str, tuple[int, int]]:
        """Pid and start time of each running program, by deployment id."""
        return {key: (p.pid, p.start_time) for key, p in self._programs.items() if p.pid}

    def claim_version(self, key: str) -> int | None:
        """The version of the claim under which a running program was started; None if it no longer runs."""
        program = self._programs.get(key)
        return program.claim[1] if program is not None and program.pid else None

    def measured_limits(self) -> dict[str, MeasuredLimits]:
        """The limits to be measured of the programs that run and were not asked to stop, by deployment id."""
        return self._programs.measured_limits()

    def end_failing(self, key: str, because: str, detail: str, at_most_s: float | None = None) -> None:
        """Stops a program that runs but may not go on, for a reason of `STOPPED_AS_FAILED`: that counts as a failure,
        and it is started again as after any other."""
        self._programs.end_failing(key, because, detail, at_most_s)

    def renew_lease(self, deadline: float, ttl_s: float = 0.0) -> None:
        """The lease ends at `deadline` (CLOCK_BOOTTIME). Without a lease nothing is started. With less than half of
        `ttl_s` left, no program that must stop with the lease is started, because after such a late confirmation more
        may fail.
        """
        if self._lease.expires < boottime():
            self.invalidate()  # in the meantime other units may have claimed the rows
        self._lease = LeaseDeadline(deadline, renewed=boottime())
        self._least_left_s = ttl_s / 2
        self._reconcile_after()

    def invalidate(self) -> None:
        """Starts and stops nothing before the rows have been read again, because they may have changed long ago."""
        self._rows_are_current = False
        self._invalidations += 1
        self._rows_changed.set()

    def compare_again(self) -> None:
        """Compares again what should run with what runs, because something that a start waited for is there."""
        self._reconcile_after()

    def installations(self) -> set[str]:
        """The directories of the installed packages that programs run from."""
        return {directory for p in self._programs.values() if (directory := p.meta.get("installation"))}

    def refresh(self) -> None:
        """Reads the rows again, because they may have changed. Until then what is known of them is used."""
        self._rows_changed.set()

    def adopt(self, deployment: Deployment) -> None:
        """Adds a row that this unit has just claimed, and starts it without reading it again."""
        key = str(deployment.id)
        self._desired[key] = deployment
        self._adopted.add(key)
        self._reconcile_after()

    async def run(self, read_programs: Callable[[Claims], Awaitable[list[Deployment]]]) -> None:
        """Follows the rows until cancelled. `read_programs` reads those that should run here; it is told the known
        claims, because others have to be confirmed before anything is started for them.
        """
        self.invalidate()
        while True:
            await self._rows_changed.wait()
            self._rows_changed.clear()
            self._adopted.clear()
            invalidations = self._invalidations
            try:
                rows = {str(d.id): d for d in await read_programs(self._known_claims())}
            except DatabaseError as error:
                log.warning("cannot read what should run here (%s); what runs continues", error)
                await asyncio.sleep(0.5)
                self._rows_changed.set()
                continue
            # What was claimed while the query ran is newer than its answer.
            rows |= {key: self._desired[key] for key in self._adopted if key in self._desired and key not in rows}
            self._desired = {key: row for key, row in rows.items() if key not in self._releasing}
            # If the rows were invalidated while the query ran, its answer may be too old.
            self._rows_are_current = invalidations == self._invalidations
            if self._rows_are_current:
                here = rows.keys() | self._programs.keys()
                self._restarts.forget_all_but(here)
                self._spawn_requests.forget_all_but(here)
            self._reconcile_after()

    def _known_claims(self) -> Claims:
        """The claims that were confirmed to this unit, or under which it runs a program."""
        desired = {(row.id, row.address_version) for row in self._desired.values()}
        return desired | {(UUID(key), program.claim[1]) for key, program in self._programs.items()}

    async def begin_release(self, key: str, at_most_s: float | None = None) -> Deployment | None:
        """Stops a program, within `at_most_s` if given; it stays stopped until `end_release`. Returns the row if it is
        to be released."""
        self._releasing.add(key)
        deployment = self._desired.pop(key, None)
        if key in self._programs:
            self._programs.stop(key, at_most_s)
            await self._programs.until_ended(key)
        return deployment if deployment is not None and deployment.type == "deployment" else None

    def end_release(self, key: str) -> None:
        """Ends what `begin_release` began. If this unit gets the row again, that is a new claim."""
        self._releasing.discard(key)
        self._rows_changed.set()

    def stop_starting(self) -> None:
        """From now on starts no program, because the unit leaves."""
        self._draining = True

    def held_rows(self) -> list[str]:
        """The ids of the rows that this unit holds, except daemon rows, which every unit runs."""
        return sorted(key for key, d in self._desired.items() if d.type == "deployment")

    def known_keys(self) -> list[str]:
        """The ids of everything that runs or should run here."""
        return sorted(self._desired.keys() | self._programs.keys())

    def supervisor_died(self, outlived_by: Container[str]) -> None:
        """The programs died with the supervisor, except parts of those in `outlived_by`. No report will come."""
        for key, program in self._programs.items():
            if key in outlived_by:
                self._events.log_outlived(key, program.claim, program.pid)
            elif program.pid:
                self._events.log_died(key, program.claim, program.pid, program.start_time)
        self.supervisor_ended()

    def supervisor_ended(self) -> None:
        """Nothing runs any more, and no report will say so."""
        self._draining = True
        self._programs.on_all_ended()

    def receive(self, message: Message) -> None:
        """Handles a message of the supervisor: hello, started, spawn_failed, exited, not_ended, probed."""
        match message["event"]:
            case "hello":
                self._take_over(message)
            case "started":
                self._on_started(message)
            case "exited" | "spawn_failed":
                self._on_ended(message)
            case "not_ended":
                self._events.log_report(message, repeated=False)
            case "probed" if self._trial is not None and not self._trial.done():
                self._trial.set_result(message["lacks"])

    def _take_over(self, hello: Message) -> None:
        """Takes over the state of the previous daemon."""
        self._events.supervisor = UUID(hello["supervisor"])
        self._restarts.take_over(hello.get("states", {}))
        for report in hello.get("reports", hello.get("exits", [])):  # a supervisor of an earlier version repeats exits
            self._events.log_report(report, repeated=True)
            if _ended_unasked(report):
                self._restarts.count_end(report)
        self._programs.take_over(hello["programs"], self._restarts.was_ready)
        for key, program in self._programs.items():
            self._spawn_requests.ports.keep(key, program.meta.get("port", 0))

    def _on_started(self, report: Message) -> None:
        self._events.log_report(report, repeated=False)
        self._programs.on_started(report)
        self.started.set()

    def _on_ready(self, key: str, after_s: float) -> None:
        program = self._programs[key]
        self._restarts.note_ready(key, program.claim, Ready(program.pid, program.start_time, after_s))

    def _on_ended(self, report: Message) -> None:
        """A program has ended or could not be started."""
        key = report["key"]
        program = self._programs.on_ended(key)
        if program is not None and program.because:  # a supervisor of an earlier version does not say it
            report = {"because": program.because, "detail": program.detail, **report}
        self._events.log_report(report, repeated=False)
        if _ended_unasked(report):
            self._restarts.count_end(report)
        elif lacks := report.get("lacks"):
            self._on_lack(key, report, lacks)
        self._reconcile_after()

    def _on_lack(self, key: str, report: Message, lacks: str) -> None:
        """A program was not started because the unit lacks something."""
        self._restarts.wait(key, claim_of(report), AGAIN_AFTER_S if lacks == LEASE else UNABLE_FOR_S)
        if lacks not in (LEASE, LEFTOVER):
            self.lack = (lacks, report["detail"])
            self._unable.add(key)
            self.unable.set()

    def take_unable(self) -> list[str]:
        """The rows to release because their programs cannot be started here."""
        keys, self._unable = sorted(self._unable), set()
        self.unable.clear()
        return keys

    async def try_a_start(self) -> str:
        """Tries a start; returns the missing resource, or empty."""
        self._trial = asyncio.get_running_loop().create_future()
        self._link.send({"op": "probe"})
        return await self._trial

    def _reconcile_after(self, delay_s: float = 0.0) -> None:
        """Reconciles once, after the shortest requested delay. One timer serves all programs that wait for their
        restart, and all changes in one turn of the event loop are compared together.
        """
        loop = asyncio.get_running_loop()
        at = loop.time() + delay_s
        if self._next is None or at < self._next.when():
            if self._next is not None:
                self._next.cancel()
            self._next = loop.call_at(at, self._reconcile)

    def _reconcile(self) -> None:
        self._next = None
        if not self._rows_are_current:
            return  # what runs is known, but not what should run
        for key, program in self._programs.items():
            wanted = self._desired.get(key)
            if wanted is not None and _claim_of(wanted) == program.claim:
                continue
            # A changed row under the same claim is rolled: what it wants is installed first.
            rolled = wanted is not None and wanted.address_version == program.claim[1] and not program.stopping
            if wanted is None or not rolled or self._draining or self._spawn_requests.may_replace(wanted):
                self._programs.stop(key)
        now = boottime()
        if self._draining or now >= self._lease.expires:
            return
        # The supervisor's rule: what it ended with the lease is started under the next one.
        long_enough = self._lease.expires - now >= self._least_left_s
        for key, wanted in self._desired.items():
            if key in self._programs:
                continue
            grace_s = self._spawn_requests.grace_of(wanted)
            if wanted.on_disconnect == "keep" or (long_enough and self._lease.allows(now, grace_s)):
                self._start(key, wanted)

    def _start(self, key: str, wanted: Deployment) -> None:
        claim = _claim_of(wanted)
        record = self._restarts.record_of(key, claim)
        wait_s = record.not_before - boottime()
        if record.over:
            return
        if wait_s > 0:
            self._reconcile_after(wait_s)
            return
        try:
            spawn = self._spawn_requests.build(wanted)
        except NotRunnable as error:
            self._restarts.park_not_runnable(key, claim, error.reason, str(error))
            return
        except (Installing, Reading):
            return
        except NotYet as error:
            self._reconcile_after(self._restarts.wait_for_unit(key, claim, error.reason, str(error)))
            return
        record.lacks, record.waits = "", 0
        self._programs[key] = LiveProgram(claim, grace_s=spawn["grace_s"], meta=spawn["meta"])
        self._link.send(spawn)


def _claim_of(deployment: Deployment) -> Claim:
    return deployment.revision, deployment.address_version


def _ended_unasked(report: Message) -> bool:
    """Whether a program ended without having been stopped, was stopped because it failed, or could not be started
    because of its own fault."""
    if report["event"] not in ("exited", "spawn_failed") or report.get("lacks"):
        return False
    return not report.get("stopped", False) or report.get("because") in STOPPED_AS_FAILED
