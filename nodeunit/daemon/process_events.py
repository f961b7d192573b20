"""The supervisor's reports about programs as events in the log, each written once, whichever daemon writes it.

The supervisor repeats a report to the next daemon until it is told that the event is in the log. The id of an event is
derived from the report, so that two daemons use the same id for it, and the second finds it written.
"""

import logging
import os
from collections.abc import Callable, Mapping
from typing import Any
from uuid import UUID, uuid5

from nodeunit.clock import boottime
from nodeunit.daemon.outbox import Outbox
from nodeunit.daemon.supervisor_link import SupervisorLink
from nodeunit.domain.event import Event
from nodeunit.domain.program_events import (
    ProcessCrashLooping,
    ProcessExited,
    ProcessNotEnded,
    ProcessParked,
    ProcessReady,
    ProcessStarted,
    ProcessStopping,
)

log = logging.getLogger(__name__)

REASONS = {"exited": "exited", "stop": "stopped", "lease": "lease_expired", "shutdown": "unit_ended"}
"""The supervisor's name for the cause of an exit, and the event's name for it."""

STOPPED_AS_FAILED = frozenset({"out_of_memory", "too_many_processes", "unhealthy", "startup_timeout"})
"""Why this daemon stops a program that runs but may not go on. It is the reason of the event, and a failure."""

Claim = tuple[int, int]
"""What a program was started for: the revision of the row and the version of the claim."""


class ProcessEvents:
    """Puts events into the outbox under ids that belong to one supervisor, known from its `hello`."""

    def __init__(self, link: SupervisorLink, outbox: Outbox) -> None:
        self.supervisor = UUID(int=0)
        self._link = link
        self._outbox = outbox

    def log_report(self, report: Mapping[str, Any], *, repeated: bool) -> None:
        """Logs a `started`, `exited`, `spawn_failed` or `not_ended`. A report without a number is never repeated."""
        event = _event_of(report)
        if "id" not in report:
            self._outbox.put(event)
            return
        number = report["id"]
        self._outbox.put(
            event,
            event_id=uuid5(self.supervisor, str(number)),
            maybe_written=repeated,
            on_written=lambda: self._link.send({"op": "ack", "id": number}),
        )

    def log_died(self, key: str, claim: Claim, pid: int, start_time: int) -> None:
        """Logs that a program was killed with its supervisor, which therefore reports nothing."""
        ran_s = round(max(boottime() - start_time / os.sysconf("SC_CLK_TCK"), 0.0), 3)
        detail = "killed with its supervisor"
        self._outbox.put(
            ProcessExited(UUID(key), pid, None, None, ran_s, "supervisor_died", detail, claim[1]),
            event_id=uuid5(self.supervisor, f"died {key} {pid} {start_time}"),
            maybe_written=True,
        )

    def log_outlived(self, key: str, claim: Claim, pid: int) -> None:
        """Logs that processes of a program survive its dead supervisor."""
        detail = "its supervisor is dead, and this unit cannot end it"
        self._outbox.put(
            ProcessNotEnded(UUID(key), pid, detail, claim[1]),
            event_id=uuid5(self.supervisor, f"outlived {key} {pid}"),
            maybe_written=True,
        )

    def log_parked(
        self,
        key: str,
        claim: Claim,
        reason: str,
        detail: str,
        *,
        cause: object,
        maybe_written: bool,
        on_written: Callable[[], None] | None = None,
    ) -> None:
        """Logs that a program was parked. `cause` distinguishes this parking from others of the same key."""
        log.warning("%s is parked (%s): %s", key, reason, detail)
        self._outbox.put(
            ProcessParked(UUID(key), reason, detail, claim[1]),
            event_id=uuid5(self.supervisor, f"parked {key} {reason} {cause}"),
            maybe_written=maybe_written,
            on_written=on_written,
        )

    def log_ready(
        self,
        key: str,
        claim: Claim,
        pid: int,
        start_time: int,
        after_s: float,
        *,
        maybe_written: bool,
        on_written: Callable[[], None],
    ) -> None:
        """Logs that the startup check of a program held."""
        self._outbox.put(
            ProcessReady(UUID(key), pid, after_s, claim[1]),
            event_id=uuid5(self.supervisor, f"ready {key} {pid} {start_time}"),
            maybe_written=maybe_written,
            on_written=on_written,
        )

    def log_stopping(self, key: str, claim: Claim, pid: int, reason: str) -> None:
        """Logs that a program takes its time to end. Not repeated by the next daemon: its end follows."""
        self._outbox.put(ProcessStopping(UUID(key), pid, reason, claim[1]))

    def log_crash_loop(
        self,
        key: str,
        event: ProcessCrashLooping,
        *,
        cause: object,
        maybe_written: bool,
        on_written: Callable[[], None],
    ) -> None:
        """Logs that a crash loop has begun."""
        log.warning("%s is in a crash loop: %d ends in a row", key, event.failures)
        self._outbox.put(
            event,
            event_id=uuid5(self.supervisor, f"crash_loop {key} {cause}"),
            maybe_written=maybe_written,
            on_written=on_written,
        )


def claim_of(report: Mapping[str, Any]) -> Claim:
    """The claim for which the program of a report, or one listed in `hello`, was started."""
    return report["meta"]["revision"], report["meta"]["claim_version"]


def _event_of(report: Mapping[str, Any]) -> Event:
    key = UUID(report["key"])
    match report["event"]:
        case "started":
            meta = report["meta"]
            return ProcessStarted(
                key, report["pid"], str(report["start_time"]), *claim_of(report), port=meta.get("port", 0),
                package_version=meta.get("package_version", ""), awaits_check=bool(meta.get("startup_check")),
            )  # fmt: skip
        case "spawn_failed":
            log.warning("%s could not be started: %s", key, report["detail"])
            return ProcessExited(key, 0, None, None, 0.0, "spawn_failed", report["detail"], claim_of(report)[1])
        case "not_ended":
            log.error("%s cannot be ended: %s", key, report["detail"])
            return ProcessNotEnded(key, report["pid"], report["detail"], claim_of(report)[1])
        case _:
            return ProcessExited(
                deployment_id=key,
                pid=report["pid"],
                exit_code=report["exit_code"],
                signal=report["signal"],
                ran_s=report["ran_s"],
                reason=_reason_of(report),
                detail=_detail_of(report),
                claim_version=claim_of(report)[1],
            )


def _reason_of(exited: Mapping[str, Any]) -> str:
    because, cause = exited.get("because", ""), exited["cause"]
    if because in STOPPED_AS_FAILED:
        return str(because)
    if cause == "exited" and exited.get("oom"):
        return "out_of_memory"
    return REASONS.get(cause, str(cause))


def _detail_of(exited: Mapping[str, Any]) -> str:
    if exited.get("detail") or _reason_of(exited) != "out_of_memory":
        return str(exited.get("detail", ""))
    if limit_mb := exited["meta"].get("memory_limit_mb"):
        return f"the kernel ended it: its limit is {limit_mb} MiB, or the machine had no memory left"
    return "the kernel ended it: the machine had no memory left"
