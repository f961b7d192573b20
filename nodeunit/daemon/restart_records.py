"""What is known of each program that ended: when it is started again, or why it is not.

A changed row or a new claim begins a new record. The supervisor keeps each record for the next daemon, so that a crash
of this daemon neither forgets failures nor restarts what was parked or is complete.
"""

import asyncio
import logging
from collections.abc import Callable, Container, Mapping
from typing import Any, Literal
from uuid import UUID, uuid4

import msgspec

from nodeunit.clock import boottime
from nodeunit.daemon.process_events import STOPPED_AS_FAILED, Claim, ProcessEvents, claim_of
from nodeunit.daemon.program_logs import ProgramLogs
from nodeunit.daemon.supervisor_link import SupervisorLink
from nodeunit.domain.program_events import ProcessCrashLooping
from nodeunit.domain.restart import Ending, RestartPolicy, RestartRule, RestartState, Verdict, after_exit

log = logging.getLogger(__name__)

NO_SUCH_COMMAND = "no_such_command"
"""The report of a program that no directory of its PATH has: a typing mistake more often than something that is away,
so it is parked. A path is tried again, because its file system may be mounted later."""

FIRST_WAIT_S = 1.0
LONGEST_WAIT_S = 30.0
"""The pauses before it is looked again whether the unit has what a program needs."""


class Unlogged(msgspec.Struct, frozen=True):
    """Something that was decided about a program and is not in the log yet."""

    what: Literal["crash_loop", "parked"]
    cause: int
    """The number of the report that it follows from."""
    failures: int
    detail: str
    """Why it is parked, or why it could not be started; empty if it was."""
    exit_code: int | None = None
    signal: int | None = None
    retry_s: float = 0.0
    reason: str = "restart_limit"
    """Why it is parked."""


class Ready(msgspec.Struct, frozen=True):
    """A run of a program whose startup check has held."""

    pid: int
    start_time: int
    after_s: float
    logged: bool = False


class RestartRecord(msgspec.Struct):
    """What is known of one program under one claim. The fields are also what the supervisor remembers."""

    claim: Claim
    state: RestartState = RestartState()
    not_before: float = 0.0
    """The program is not started before this time of CLOCK_BOOTTIME."""
    over: Literal["", "complete", "parked"] = ""
    """Whether and why it is not started again."""
    to_log: list[Unlogged] = []
    counted: int = 0
    """The number of the last counted report."""
    ready: Ready | None = None
    lacks: str = ""
    """What the unit lacks for it, as was said last."""
    waits: int = 0
    """How often it was looked for that in vain."""


class RestartRecords:
    """Records by key."""

    def __init__(self, link: SupervisorLink, events: ProcessEvents, rule: RestartRule, logs: ProgramLogs) -> None:
        self._link = link
        self._events = events
        self._rule = rule
        self._logs = logs
        self._records: dict[str, RestartRecord] = {}
        self._reading: set[asyncio.Task[None]] = set()

    def take_over(self, states: Mapping[str, Any]) -> None:
        """Takes over the records of the previous daemon, and logs what it may not have logged."""
        for key, state in states.items():
            try:
                record = msgspec.convert(state, RestartRecord)
            except msgspec.ValidationError as error:
                log.warning("the remembered restarts of %s cannot be read: %s", key, error)
                continue
            self._records[key] = record
            for unlogged in record.to_log:
                self._log(key, record, unlogged, maybe_written=True)
            if record.ready is not None and not record.ready.logged:
                self._log_ready(key, record, record.ready, maybe_written=True)

    def record_of(self, key: str, claim: Claim) -> RestartRecord:
        """The record of a program under this claim."""
        known = self._records.get(key)
        if known is None or known.claim != claim:
            known = self._records[key] = RestartRecord(claim)
        return known

    def count_end(self, report: Mapping[str, Any]) -> None:
        """Counts that a program ended by itself, failed, or could not be started. A counted report changes nothing."""
        key, number = report["key"], report.get("id", 0)
        known = self._records.get(key)
        if known is not None and 0 < number <= known.counted:
            return
        record = self.record_of(key, claim_of(report))
        record.counted = max(record.counted, number)
        if report["event"] == "spawn_failed" and report.get("because") == NO_SUCH_COMMAND:
            record.over = "parked"
            self._note(key, record, Unlogged("parked", record.counted, 0, report["detail"], reason=NO_SUCH_COMMAND))
            return
        policy = _policy_of(report)
        verdict = after_exit(self._rule, policy, record.state, _ending_of(report), key)
        record.state = verdict.state
        unlogged = None
        if verdict.action == "restart":
            record.not_before = boottime() + verdict.delay_s
            if verdict.crash_loop:
                unlogged = _crash_loop(report, record.counted, verdict)
        elif verdict.action == "park":
            record.over = "parked"
            failures = verdict.state.failures
            detail = f"ended {failures} times in a row, and its restart_limit is {policy.limit}"
            unlogged = Unlogged("parked", record.counted, failures, detail)
        else:
            record.over = "complete"
        self._note(key, record, unlogged)

    def _note(self, key: str, record: RestartRecord, unlogged: Unlogged | None) -> None:
        """Remembers a record that has changed, and logs what was decided."""
        if unlogged is not None:
            record.to_log.append(unlogged)
            self._log(key, record, unlogged, maybe_written=False)
        self._remember(key, record)

    def wait(self, key: str, claim: Claim, delay_s: float) -> None:
        """Delays the next start; nothing counts as a failure of the program."""
        self.record_of(key, claim).not_before = boottime() + delay_s

    def park_not_runnable(self, key: str, claim: Claim, reason: str, detail: str) -> None:
        """Parks what this unit may not run. Not remembered: the next daemon decides again, with the same event id."""
        self.record_of(key, claim).over = "parked"
        self._events.log_parked(key, claim, reason, detail, cause=claim, maybe_written=True)

    def wait_for_unit(self, key: str, claim: Claim, reason: str, detail: str) -> float:
        """Delays the start, because the unit lacks something that time or a person may bring. It is logged when it
        begins. Returns the delay in seconds."""
        record = self.record_of(key, claim)
        delay_s = min(FIRST_WAIT_S * 2.0 ** min(record.waits, 16), LONGEST_WAIT_S)
        record.not_before = boottime() + delay_s
        record.waits += 1
        if record.lacks != detail:
            record.lacks = detail
            self._events.log_parked(key, claim, reason, detail, cause=uuid4(), maybe_written=False)
        return delay_s

    def note_ready(self, key: str, claim: Claim, ready: Ready) -> None:
        """The startup check of a program has held. That is remembered, because a program that was ready is not ended
        for not becoming it."""
        record = self.record_of(key, claim)
        record.ready = ready
        self._remember(key, record)
        self._log_ready(key, record, ready, maybe_written=False)

    def was_ready(self, key: str, pid: int, start_time: int) -> bool:
        """Whether this run of a program has been ready."""
        record = self._records.get(key)
        ready = record.ready if record is not None else None
        return ready is not None and (ready.pid, ready.start_time) == (pid, start_time)

    def forget_all_but(self, keys: Container[str]) -> None:
        """Forgets the records of other keys, except those of which something is still to be logged."""
        for key in [key for key, record in self._records.items() if key not in keys and not record.to_log]:
            del self._records[key]
            self._remember(key, None)

    def _log_ready(self, key: str, record: RestartRecord, ready: Ready, *, maybe_written: bool) -> None:
        def logged() -> None:
            if record.ready == ready and self._records.get(key) is record:
                record.ready = msgspec.structs.replace(ready, logged=True)
                self._remember(key, record)

        self._events.log_ready(
            key, record.claim, ready.pid, ready.start_time, ready.after_s,
            maybe_written=maybe_written, on_written=logged,
        )  # fmt: skip

    def _log(self, key: str, record: RestartRecord, unlogged: Unlogged, *, maybe_written: bool) -> None:
        def logged() -> None:
            record.to_log.remove(unlogged)
            if self._records.get(key) is record:
                self._remember(key, record)

        if unlogged.what == "parked":
            self._events.log_parked(
                key, record.claim, unlogged.reason, unlogged.detail,
                cause=unlogged.cause, maybe_written=maybe_written, on_written=logged,
            )  # fmt: skip
            return
        reading = asyncio.ensure_future(self._log_crash_loop(key, record.claim, unlogged, maybe_written, logged))
        self._reading.add(reading)
        reading.add_done_callback(self._reading.discard)

    async def _log_crash_loop(
        self, key: str, claim: Claim, loop: Unlogged, maybe_written: bool, logged: Callable[[], None]
    ) -> None:
        lines = [loop.detail] if loop.detail else await self._logs.last_lines(key)
        event = ProcessCrashLooping(
            UUID(key), loop.failures, loop.exit_code, loop.signal, lines, loop.retry_s, claim_version=claim[1]
        )
        self._events.log_crash_loop(key, event, cause=loop.cause, maybe_written=maybe_written, on_written=logged)

    def _remember(self, key: str, record: RestartRecord | None) -> None:
        self._link.send({"op": "remember", "key": key, "state": msgspec.to_builtins(record)})


def _policy_of(report: Mapping[str, Any]) -> RestartPolicy:
    """The policy with which the program was started. It is in the report, because a new daemon counts what it is told
    before it has read a row."""
    meta = report["meta"]
    return RestartPolicy(meta.get("restart", "always"), meta.get("restart_limit"))


def _ending_of(report: Mapping[str, Any]) -> Ending:
    if report["event"] == "spawn_failed":
        return Ending(0.0, started=False)
    because = report.get("because", "")
    ran_s = 0.0 if because == "startup_timeout" else report.get("ran_s", 0.0)
    return Ending(ran_s, report.get("exit_code"), failed=because in STOPPED_AS_FAILED)


def _crash_loop(report: Mapping[str, Any], cause: int, verdict: Verdict) -> Unlogged:
    return Unlogged(
        "crash_loop", cause, verdict.state.failures, report.get("detail", ""), report.get("exit_code"),
        report.get("signal"), round(verdict.delay_s, 1),
    )  # fmt: skip
