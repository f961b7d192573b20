"""Events and times in words, one line each, for histories and answers."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

import msgspec

from nodeunit.domain import events, program_events, snapshot_events
from nodeunit.domain.event import Event
from nodeunit.domain.events import DeploymentReleased, Unknown
from nodeunit.domain.program_events import (
    WAITS_FOR_UNIT,
    ProcessExited,
    ProcessNotEnded,
    ProcessParked,
    ProcessStarted,
)
from nodeunit.domain.row_state import Program
from nodeunit.store.read.event_log import RecordedEvent

Names = Mapping[str, str]
"""The names of units, by address."""

_REASONS = {
    "drained": "gave it back while it drained",
    "unit_lost": "was lost",
    "supervisor_died": "lost it when its supervisor died",
    "unit_exhausted": "gave it back, because it could not start it",
    "by_hand": "had it taken away by hand",
    "deleted": "had it when it was deleted",
}


def called(address: str, names: Names) -> str:
    """A unit's name, or the beginning of its address."""
    return names.get(address) or address[:8] or "nobody"


def release_reason(event: DeploymentReleased, names: Names) -> str:
    """Why the former holder no longer has it."""
    return f"before, {called(event.holder, names)} {_REASONS.get(event.reason, f'released it: {event.reason}')}"


def program_sentence(newest_first: list[RecordedEvent]) -> str:
    """What happened to a program, from its newest events."""
    if not newest_first:
        return "not started yet"
    last = newest_first[0]
    at = local_time(last.recorded_at)
    ends = sum(1 for recorded in newest_first if recorded.type == "ProcessExited")
    often = f", after {ends} ends" if ends else ""
    match last.event():
        case ProcessStarted(pid=pid):
            return f"runs since {at} as pid {pid}{often}"
        case ProcessNotEnded(detail=detail):
            return f"was to be ended at {at} and still runs: {detail}"
        case ProcessParked(reason=reason, detail=detail) if reason in WAITS_FOR_UNIT:
            return f"waits since {at} ({reason}): {detail}; the unit looks again by itself"
        case ProcessParked(reason=reason, detail=detail):
            return f"parked since {at} ({reason}): {detail}; change the row to try again"
        case ProcessExited() as ended:
            return f"ended at {at}: {_ending(ended)}"
        case _:
            return f"{last.type} at {at}"


def program_state(program: Program) -> str:
    """The state of a program on a unit, on one line."""
    since = f" since {local_time(program.since)}" if program.since is not None else ""
    parts = [f"state on {program.unit or program.unit_address[:8]}: {program.state}{since}"]
    if program.reason:
        parts.append(program.reason.replace("_", " ") + (f" ({program.detail})" if program.detail else ""))
    if program.restarts:
        parts.append(f"{program.restarts} restarts")
    if program.port and program.state == "running":
        parts.append(f"port {program.port}")
    if program.next_try_at is not None:
        parts.append(f"tried again at {local_time(program.next_try_at)}")
    return ", ".join(parts)


def local_time(at: datetime, precision: str = "milliseconds") -> str:
    """A time as people read it: in the local time zone, with its offset."""
    return at.astimezone().isoformat(" ", precision)


def describe(event: Event | Unknown, names: Names) -> str:
    """The content of an event, without its time and its subject; the data of an unknown type."""
    if isinstance(event, Unknown):
        return msgspec.json.encode(event.data).decode()
    words = _WORDS.get(type(event))
    return words(event, names) if words else msgspec.json.encode(event).decode()


def _ending(event: ProcessExited) -> str:
    if event.signal is not None:
        how = f"signal {event.signal}"
    elif event.exit_code is not None:
        how = f"exit code {event.exit_code}"
    else:
        how = event.detail or "unknown"
    return f"{event.reason}, {how}, after {event.ran_s:.1f} s"


def _specification(event: Any, _: Names) -> str:
    command = f" running {event.command}" if event.command else ""
    changed = f"{', '.join(event.changed)} of " if isinstance(event, events.DeploymentChanged) else ""
    enabled = "" if event.enabled else ", disabled"
    return f"{changed}{event.package_name}@{event.package_version}{command} ({event.type}{enabled}) by {event.by}"


def _by(event: Any, _: Names) -> str:
    return f"by {event.by}"


def _nothing(_event: Any, _: Names) -> str:
    return ""


def _skipped(event: events.DeploymentClaimSkipped, _: Names) -> str:
    reasons = f": {', '.join(event.notEligibleReasons)}" if event.notEligibleReasons else ""
    return f"{event.reason}{reasons}"


def _eligible(event: events.DeploymentClaimEligibility, _: Names) -> str:
    if event.eligible:
        return "eligible"
    return f"not eligible: {', '.join(event.notEligibleReasons)}"


def _joined(event: events.UnitJoined, _: Names) -> str:
    return f"{event.name} on {event.host}, epoch {event.epoch}, policy {event.policy}, trusts {event.trusted}"


_WORDS: dict[type, Callable[[Any, Names], str]] = {
    events.DeploymentClaimRound: lambda e, _: (
        f"{e.outcome}, woken by {e.wake_up}: {len(e.units)} units, {len(e.candidates)} candidates"
    ),
    events.DeploymentClaimEligibility: _eligible,
    events.DeploymentClaimSkipped: _skipped,
    events.DeploymentClaimAttempt: lambda e, names: f"by {called(e.claimant, names)}",
    events.DeploymentClaimed: lambda e, names: f"by {called(e.claimant, names)}",
    events.DeploymentReleased: lambda e, names: f"by {called(e.holder, names)}: {e.reason}",
    events.DeploymentAssigned: lambda e, names: f"to {called(e.holder, names)} by {e.by}",
    events.DeploymentCreated: _specification,
    events.DeploymentChanged: _specification,
    events.DeploymentEnabled: _by,
    events.DeploymentDisabled: _by,
    events.DeploymentRestartRequested: _by,
    events.UnitSampleUnusable: lambda e, _: e.detail,
    events.DeploymentUnusable: lambda e, _: e.fault,
    events.DeploymentDeleted: _by,
    program_events.ProcessStarted: lambda e, _: f"pid {e.pid}, revision {e.revision}, claim {e.claim_version}",
    program_events.ProcessExited: lambda e, _: f"pid {e.pid}: {_ending(e)}",
    program_events.ProcessNotEnded: lambda e, _: f"pid {e.pid}: {e.detail}",
    program_events.ProcessParked: lambda e, _: f"{e.reason}: {e.detail}",
    program_events.ProcessReady: lambda e, _: f"pid {e.pid}, {e.after_s:.1f} s after its start",
    program_events.ProcessStopping: lambda e, _: f"pid {e.pid}: {e.reason}",
    program_events.ProcessCrashLooping: lambda e, _: f"{e.failures} failures in a row, next start in {e.retry_s:.0f} s",
    program_events.ProgramInstalling: lambda e, _: f"{e.runtime} {e.package_name}@{e.package_version}",
    program_events.ProgramInstalled: lambda e, _: (
        f"{e.runtime} {e.package_name}@{e.package_version}, {e.packages} packages in {e.took_s:.1f} s"
    ),
    program_events.ProgramInstallFailed: lambda e, _: f"{e.package_name}@{e.package_version}: {e.detail} ({e.reason})",
    events.UnitJoined: _joined,
    events.UnitLost: lambda e, names: f"said {called(e.by, names)}; the lease had expired at {e.lease_expired_at}",
    events.UnitLeft: _nothing,
    events.UnitDraining: _nothing,
    events.UnitSupervisorDied: lambda _, __: "its programs died with it",
    events.UnitDrained: _nothing,
    events.UnitCordoned: _by,
    events.UnitUncordoned: _by,
    events.UnitDrainRequested: lambda e, _: f"until {e.until} by {e.by}",
    snapshot_events.LogArchived: lambda e, _: f"{e.events} events before {e.before} are in {e.file}",
    snapshot_events.DeploymentSnapshot: _specification,
    snapshot_events.AssignmentSnapshot: lambda e, names: f"{called(e.holder, names)} since {e.since}",
    snapshot_events.UnitSnapshot: lambda e, _: f"{e.name} on {e.host}, epoch {e.epoch}, {e.membership} since {e.since}",
    snapshot_events.DecisionsSnapshot: _nothing,
    events.UnitExhausted: lambda e, _: f"lacks {e.lacks}: {e.detail}",
    events.UnitRecovered: lambda e, _: f"no longer lacks {e.lacked}",
    events.UnitSupervisorSilent: lambda e, _: f"its supervisor has not answered for {e.silent_s:g} s",
    events.UnitListenerDeaf: lambda e, _: f"missed {e.behind} notifications",
}
"""The words of each type; a type that is not here shows its data."""
