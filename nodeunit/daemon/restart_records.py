"""What is known of each program that failed: when it is started again, or that it is parked.

A changed row or a new claim begins a new record. The supervisor keeps each record for the next daemon, so that a crash
of this daemon neither forgets failures nor restarts what was parked.
"""

import logging
from collections.abc import Container, Mapping
from typing import Any

import msgspec

from nodeunit.clock import boottime
from nodeunit.daemon.process_events import Claim, ProcessEvents, claim_of
from nodeunit.daemon.supervisor_link import SupervisorLink
from nodeunit.domain.restart import RestartRule, RestartState, after_exit

log = logging.getLogger(__name__)


class RestartRecord(msgspec.Struct):
    """What is known of one program under one claim. The fields are also what the supervisor remembers."""

    claim: Claim
    state: RestartState = RestartState()
    not_before: float = 0.0
    """The program is not started before this time of CLOCK_BOOTTIME."""
    parked: bool = False
    unlogged: bool = False
    """Whether it is parked as a crash loop and the event is not in the log yet."""
    counted: int = 0
    """The number of the last counted report."""


class RestartRecords:
    """Records by key."""

    def __init__(self, link: SupervisorLink, events: ProcessEvents, rule: RestartRule) -> None:
        self._link = link
        self._events = events
        self._rule = rule
        self._records: dict[str, RestartRecord] = {}

    def take_over(self, states: Mapping[str, Any]) -> None:
        """Takes over the records of the previous daemon, and logs the parkings that it may not have logged."""
        for key, state in states.items():
            try:
                record = msgspec.convert(state, RestartRecord)
            except msgspec.ValidationError as error:
                log.warning("the remembered restarts of %s cannot be read: %s", key, error)
                continue
            self._records[key] = record
            if record.unlogged:
                self._log_crash_loop(key, record, maybe_written=True)

    def record_of(self, key: str, claim: Claim) -> RestartRecord:
        """The record of a program under this claim."""
        known = self._records.get(key)
        if known is None or known.claim != claim:
            known = self._records[key] = RestartRecord(claim)
        return known

    def count_failure(self, report: Mapping[str, Any]) -> None:
        """Counts that a program ended by itself or could not be started. A counted report changes nothing."""
        key, number = report["key"], report.get("id", 0)
        known = self._records.get(key)
        if known is not None and 0 < number <= known.counted:
            return
        record = self.record_of(key, claim_of(report))
        record.counted = max(record.counted, number)
        record.state, delay_s = after_exit(self._rule, record.state, report.get("ran_s", 0.0))
        if delay_s is not None:
            record.not_before = boottime() + delay_s
        else:
            record.parked = record.unlogged = True
            self._log_crash_loop(key, record, maybe_written=False)
        self._remember(key, record)

    def wait(self, key: str, claim: Claim, delay_s: float) -> None:
        """Delays the next start; nothing counts as a failure of the program."""
        self.record_of(key, claim).not_before = boottime() + delay_s

    def park_not_runnable(self, key: str, claim: Claim, reason: str, detail: str) -> None:
        """Parks what this unit may not run. Not remembered: the next daemon decides again, with the same event id."""
        self.record_of(key, claim).parked = True
        self._events.log_parked(key, claim, reason, detail, cause=claim, maybe_written=True)

    def forget_all_but(self, keys: Container[str]) -> None:
        """Forgets the records of other keys, except those still to be logged."""
        for key in [key for key, record in self._records.items() if key not in keys and not record.unlogged]:
            del self._records[key]
            self._remember(key, None)

    def _log_crash_loop(self, key: str, record: RestartRecord, *, maybe_written: bool) -> None:
        def logged() -> None:
            record.unlogged = False
            if self._records.get(key) is record:
                self._remember(key, record)

        detail = f"ended {record.state.failures} times in a row"
        self._events.log_parked(
            key,
            record.claim,
            "crash_loop",
            detail,
            cause=record.counted,
            maybe_written=maybe_written,
            on_written=logged,
        )

    def _remember(self, key: str, record: RestartRecord | None) -> None:
        self._link.send({"op": "remember", "key": key, "state": msgspec.to_builtins(record)})
