"""What should run against what runs, on this unit: starts, stops, restarts and parks programs.

The rows say what should run, the supervisor what runs; every change of either ends in `_reconcile`, which compares
them. A program runs one revision of its row under one claim: another revision or another claim is another program.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from uuid import UUID, uuid5

from nodeunit.clock import boottime
from nodeunit.daemon.outbox import Outbox
from nodeunit.daemon.spawn_request import NotRunnable, SpawnRequestBuilder
from nodeunit.daemon.supervisor_link import Message, SupervisorLink
from nodeunit.domain.deployment import Deployment
from nodeunit.domain.events import ProcessExited, ProcessParked, ProcessStarted
from nodeunit.domain.restart import RestartRule, RestartState, after_exit
from nodeunit.errors import DatabaseError
from nodeunit.supervisor.lease import LeaseDeadline

log = logging.getLogger(__name__)

REASONS = {"exited": "exited", "stop": "stopped", "lease": "lease_expired", "shutdown": "unit_ended"}
"""What the supervisor calls the cause of an exit, and what the event calls it."""

Claim = tuple[int, int]
"""What a program was started for: the revision of the row and the version of the claim."""


@dataclass
class LiveProgram:
    """A program that the supervisor was asked to start and has not reported as ended."""

    claim: Claim
    pid: int = 0
    start_time: int = 0
    """Clock ticks since boot; with the pid the identity of the process."""
    stopping: bool = False


@dataclass
class RestartRecord:
    """How a program that is not running comes to run again, or does not."""

    claim: Claim
    state: RestartState = field(default_factory=RestartState)
    not_before: float = 0.0
    parked: bool = False


class Reconciler:
    """Outlives the epochs of its daemon: programs go on while the unit joins anew."""

    def __init__(
        self, link: SupervisorLink, outbox: Outbox, spawn_requests: SpawnRequestBuilder, rule: RestartRule
    ) -> None:
        self.started = asyncio.Event()
        """Set after each start, for the heartbeat to sample it soon."""
        self._link = link
        self._outbox = outbox
        self._spawn_requests = spawn_requests
        self._rule = rule
        self._desired: dict[str, Deployment] = {}
        self._programs: dict[str, LiveProgram] = {}
        self._restarts: dict[str, RestartRecord] = {}
        self._ended: dict[str, asyncio.Event] = {}
        self._adopted: set[str] = set()
        self._releasing: set[str] = set()
        self._rows_changed = asyncio.Event()
        self._rows_are_current = False
        self._invalidations = 0
        self._lease = LeaseDeadline()
        self._draining = False
        self._next: asyncio.TimerHandle | None = None

    def processes(self) -> dict[str, tuple[int, int]]:
        """Pid and start time of each running program, by deployment id."""
        return {key: (p.pid, p.start_time) for key, p in self._programs.items() if p.pid}

    def claim_version(self, key: str) -> int:
        """The version of the claim under which a running program was started."""
        return self._programs[key].claim[1]

    def renew_lease(self, deadline: float) -> None:
        """Nothing is started without a lease: another unit may be starting it. `deadline` is on CLOCK_BOOTTIME."""
        if self._lease.expires < boottime():
            self.invalidate()  # in the meantime others may have taken what stood in the rows
        self._lease = LeaseDeadline(deadline, renewed=boottime())
        self._reconcile_after()

    def invalidate(self) -> None:
        """Start and stop nothing before the rows have been read: what is known of them may be long past."""
        self._rows_are_current = False
        self._invalidations += 1
        self._rows_changed.set()

    def refresh(self) -> None:
        """The rows may have changed: read them."""
        self._rows_changed.set()

    def adopt(self, deployment: Deployment) -> None:
        """A row that this unit has just claimed; started without asking the database again."""
        key = str(deployment.id)
        self._desired[key] = deployment
        self._adopted.add(key)
        self._reconcile_after()

    async def run(self, read_programs: Callable[[], Awaitable[list[Deployment]]]) -> None:
        """Follows the rows until cancelled; `read_programs` reads those that should run here."""
        self.invalidate()
        while True:
            await self._rows_changed.wait()
            self._rows_changed.clear()
            self._adopted.clear()
            invalidations = self._invalidations
            try:
                rows = {str(d.id): d for d in await read_programs()}
            except DatabaseError as error:
                log.warning("cannot read what should run here (%s); what runs goes on", error)
                await asyncio.sleep(0.5)
                self._rows_changed.set()
                continue
            # What was claimed while the query ran is newer than its answer.
            rows |= {key: self._desired[key] for key in self._adopted if key in self._desired and key not in rows}
            self._desired = {key: row for key, row in rows.items() if key not in self._releasing}
            # Invalidated while the query ran: its answer may be older than it must be.
            self._rows_are_current = invalidations == self._invalidations
            self._reconcile_after()

    async def begin_release(self, key: str, grace_s: float | None = None) -> Deployment | None:
        """Stops one program, not to be started again until `end_release`. Returns the row when it is one to release."""
        self._releasing.add(key)
        deployment = self._desired.pop(key, None)
        if key in self._programs:
            ended = self._ended.setdefault(key, asyncio.Event())
            self._stop(key, grace_s)
            await ended.wait()
        return deployment if deployment is not None and deployment.type == "deployment" else None

    def end_release(self, key: str) -> None:
        """The row is released: should it come back to this unit, that is a new claim."""
        self._releasing.discard(key)
        self._rows_changed.set()

    def stop_starting(self) -> None:
        """The unit is leaving."""
        self._draining = True

    def held_rows(self) -> list[str]:
        """The ids of the rows this unit holds; daemon rows, which every unit has, are not among them."""
        return sorted(key for key, d in self._desired.items() if d.type == "deployment")

    def known_keys(self) -> list[str]:
        """The ids of everything that runs or should run here."""
        return sorted(self._desired.keys() | self._programs.keys())

    def supervisor_lost(self) -> None:
        """Nothing runs any more, and nobody will report it."""
        self._draining = True
        self._programs.clear()
        for ended in self._ended.values():
            ended.set()

    def receive(self, message: Message) -> None:
        """Takes what the supervisor reports: hello, started, spawn_failed, exited."""
        match message["event"]:
            case "hello":
                for running in message["programs"]:
                    self._programs[running["key"]] = LiveProgram(_claim(running), running["pid"], running["start_time"])
                for ended in message["exits"]:
                    self._on_exited(ended, uuid5(UUID(message["supervisor"]), str(ended["id"])))
            case "started":
                self._on_started(message)
            case "exited":
                self._on_exited(message)
            case "spawn_failed":
                self._on_spawn_failed(message)

    def _on_started(self, message: Message) -> None:
        key = message["key"]
        program = self._programs.setdefault(key, LiveProgram(_claim(message)))
        program.pid, program.start_time = message["pid"], message["start_time"]
        revision, claim_version = _claim(message)
        self._outbox.put(ProcessStarted(UUID(key), program.pid, str(program.start_time), revision, claim_version))
        self.started.set()

    def _on_exited(self, message: Message, event_id: UUID | None = None) -> None:
        key, stopped = message["key"], bool(message["stopped"])
        self._outbox.put(
            ProcessExited(
                deployment_id=UUID(key),
                pid=message["pid"],
                exit_code=message["exit_code"],
                signal=message["signal"],
                ran_s=message["ran_s"],
                reason=REASONS.get(message["cause"], str(message["cause"])),
                detail="",
            ),
            event_id=event_id,
            on_written=lambda: self._link.send({"op": "ack", "id": message["id"]}),
        )
        self._on_ended(key, _claim(message), message["ran_s"], by_itself=not stopped)

    def _on_spawn_failed(self, message: Message) -> None:
        key, detail = message["key"], message["detail"]
        log.warning("%s could not be started: %s", key, detail)
        self._outbox.put(ProcessExited(UUID(key), 0, None, None, 0.0, "spawn_failed", detail))
        self._on_ended(key, _claim(message), 0.0, by_itself=True)

    def _on_ended(self, key: str, claim: Claim, ran_s: float, *, by_itself: bool) -> None:
        self._programs.pop(key, None)
        if by_itself:
            restarts = self._restart_record(key, claim)
            restarts.state, delay_s = after_exit(self._rule, restarts.state, ran_s)
            if delay_s is None:
                self._park(key, claim, "crash_loop", f"ended {restarts.state.failures} times in a row")
            else:
                restarts.not_before = boottime() + delay_s
        if ended := self._ended.pop(key, None):
            ended.set()
        self._reconcile_after()

    def _park(self, key: str, claim: Claim, reason: str, detail: str) -> None:
        self._restart_record(key, claim).parked = True
        log.warning("%s is parked (%s): %s", key, reason, detail)
        self._outbox.put(ProcessParked(UUID(key), reason, detail))

    def _restart_record(self, key: str, claim: Claim) -> RestartRecord:
        """A changed row or a new claim starts with a clean record."""
        known = self._restarts.get(key)
        if known is None or known.claim != claim:
            known = self._restarts[key] = RestartRecord(claim)
        return known

    def _reconcile_after(self, delay_s: float = 0.0) -> None:
        """Reconciles once, after the shortest of the delays asked for: there is one timer, however many programs wait
        for their restart, and what changes in one turn of the event loop is compared together.
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
            return  # known is only what runs, from the supervisor, and not what should
        for key, program in self._programs.items():
            wanted = self._desired.get(key)
            if wanted is None or _claim_of(wanted) != program.claim:
                self._stop(key)
        now = boottime()
        if self._draining or now >= self._lease.expires:
            return
        # By the supervisor's rule: what it has ended with the lease is started under the next one.
        stops_may_start = self._lease.allows(now, self._spawn_requests.grace_s)
        for key, wanted in self._desired.items():
            if key not in self._programs and (wanted.on_disconnect == "keep" or stops_may_start):
                self._start(key, wanted)

    def _start(self, key: str, wanted: Deployment) -> None:
        claim = _claim_of(wanted)
        restarts = self._restart_record(key, claim)
        wait_s = restarts.not_before - boottime()
        if restarts.parked:
            return
        if wait_s > 0:
            self._reconcile_after(wait_s)
            return
        try:
            spawn = self._spawn_requests.build(wanted)
        except NotRunnable as error:
            self._park(key, claim, error.reason, str(error))
            return
        self._programs[key] = LiveProgram(claim)
        self._link.send(spawn)

    def _stop(self, key: str, grace_s: float | None = None) -> None:
        program = self._programs[key]
        if not program.stopping or grace_s is not None:
            program.stopping = True
            grace_s = self._spawn_requests.grace_s if grace_s is None else grace_s
            self._link.send({"op": "stop", "key": key, "grace_s": grace_s})


def _claim_of(deployment: Deployment) -> Claim:
    return deployment.revision, deployment.address_version


def _claim(message: Message) -> Claim:
    return message["meta"]["revision"], message["meta"]["claim_version"]
