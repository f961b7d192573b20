"""Why a unit or no unit holds a deployment, from the inputs that the log recorded.

For a held row the round of its claim is read again; for a waiting row, the newest round since it became free. Which
units were in the fleet follows from the membership events up to that round. Nothing is guessed: if a round was
archived, or there was none, the answer says so.
"""

from datetime import datetime
from uuid import UUID

import msgspec

from nodeunit.audit.why_program import program
from nodeunit.audit.wording import local_time, release_reason
from nodeunit.domain.can_run import OBSTACLES
from nodeunit.domain.claim_round import recorded_inputs
from nodeunit.domain.events import (
    DeploymentAssigned,
    DeploymentClaimed,
    DeploymentClaimRound,
    DeploymentCreated,
    DeploymentDeleted,
    DeploymentDisabled,
    DeploymentReleased,
    DeploymentUnusable,
)
from nodeunit.domain.fleet import DeploymentState
from nodeunit.domain.policy import Candidate
from nodeunit.domain.row_state import Program
from nodeunit.domain.verdict import Verdict, judge
from nodeunit.store.postgres.connections import Connection
from nodeunit.store.read import fleet, lookup, programs
from nodeunit.store.read import why as store
from nodeunit.store.read.event_log import RecordedEvent
from nodeunit.store.read.fleet import AsOf


class Explanation(msgspec.Struct, kw_only=True):
    """Why one deployment has its state and holder."""

    deployment_id: UUID
    at: datetime | None
    """The requested time; None is now."""
    state: str
    """`held`, `waiting`, `disabled` (which may have a holder), `daemon`, `deleted` or `not_yet`."""
    package: str = ""
    holder: str = ""
    holder_name: str = ""
    since: datetime | None = None
    version: int = 0
    """The version of the assignment, which is the program's fencing token."""
    because: list[str] = msgspec.field(default_factory=list)
    """The reasons in words, the decisive one first."""
    decided_at: datetime | None = None
    """When the round ran whose inputs the verdicts come from."""
    decided_by: str = ""
    """The unit that ran this round."""
    verdicts: list[Verdict] = msgspec.field(default_factory=list)
    program: str = ""
    """What happened to the program since, in words."""
    programs: list[Program] = msgspec.field(default_factory=list)
    """The state of the program now, on each unit that runs it or should; empty for a time in the past."""


async def explain(connection: Connection, given: str, at: datetime | None = None) -> Explanation:
    """Explains the deployment whose id begins like this. Raises DeploymentUnknown, HistoryArchived and TimeNotInLog."""
    deployment_id = await lookup.find_deployment(connection, given)
    await fleet.as_of(connection, at, None)
    found = await fleet.deployments(connection, AsOf(at), deployment_id)
    specifications = await store.specifications(connection, deployment_id, at)
    if not found:
        return _gone(deployment_id, at, specifications)
    state = found[0]
    assignments = await store.assignments(connection, deployment_id, at)
    answer = Explanation(
        deployment_id=deployment_id,
        at=at,
        state=_state(state),
        package=state.package,
        holder=state.address,
        since=state.address_since,
        version=state.address_version,
    )
    if state.address:
        if not state.enabled:
            answer.because.append(_disabled(specifications))
        await _explain_held(connection, answer, assignments)
        holder = next((u for u in await fleet.units(connection, AsOf(at)) if u.address == state.address), None)
        answer.program = await program(connection, state, holder, at)
    else:
        await _explain_free(connection, answer, state, assignments, specifications)
    if at is None:
        answer.programs = await programs.states_of(connection, deployment_id)
    return answer


def _state(state: DeploymentState) -> str:
    if state.type == "daemon":
        return "daemon"
    if not state.enabled:
        return "disabled"
    return "held" if state.address else "waiting"


def _disabled(specifications: list[RecordedEvent]) -> str:
    """By whom it was disabled, from the newest event that can have done it."""
    for recorded in specifications:
        event = recorded.event()
        if isinstance(event, DeploymentDisabled):
            return f"disabled by {event.by} at {local_time(recorded.recorded_at)}"
        if isinstance(event, DeploymentCreated):
            return f"created as disabled by {event.by}"
    return "disabled"


def _gone(deployment_id: UUID, at: datetime | None, specifications: list[RecordedEvent]) -> Explanation:
    last = specifications[0] if specifications else None
    event = last.event() if last else None
    if last is not None and isinstance(event, DeploymentDeleted):
        because = [f"deleted by {event.by}"]
        return Explanation(deployment_id=deployment_id, at=at, state="deleted", since=last.recorded_at, because=because)
    return Explanation(deployment_id=deployment_id, at=at, state="not_yet", because=["it had not been created by then"])


async def _explain_held(connection: Connection, answer: Explanation, assignments: list[RecordedEvent]) -> None:
    last = assignments[0]
    names = {unit.address: unit.name for unit in await fleet.units(connection, AsOf(last.recorded_at))}
    answer.holder_name = names.get(answer.holder, "")
    match last.event():
        case DeploymentAssigned(by=by):
            answer.because.append(f"assigned by hand, by {by}")
        case DeploymentClaimed():
            await _explain_claim(connection, answer, last)
        case _:
            answer.because.append("its claim is archived: nodeunit replay --archive FILE --deployment ID shows it")
    if len(assignments) > 1 and isinstance(before := assignments[1].event(), DeploymentReleased):
        answer.because.append(release_reason(before, names))


async def _explain_claim(connection: Connection, answer: Explanation, claim: RecordedEvent) -> None:
    recorded = await store.round_of_claim(connection, claim)
    event = recorded.event() if recorded else None
    if recorded is None or not isinstance(event, DeploymentClaimRound):
        answer.because.append("claimed, and the inputs of that round are not recorded")
        return
    answer.because.append(f"claimed in a round that ran because of: {event.wake_up}")
    inputs = recorded_inputs(event)
    candidate = next((c for c in inputs.candidates if c.id == answer.deployment_id), _as_candidate(answer))
    roster = await fleet.units(connection, AsOf(recorded.recorded_at))
    answer.decided_at, answer.decided_by = recorded.recorded_at, recorded.unit_address
    answer.verdicts = judge(candidate, inputs, roster)


async def _explain_free(
    connection: Connection,
    answer: Explanation,
    state: DeploymentState,
    assignments: list[RecordedEvent],
    specifications: list[RecordedEvent],
) -> None:
    roster = await fleet.units(connection, AsOf(answer.at))
    names = {unit.address: unit.name for unit in roster}
    free_since = max(
        [event.recorded_at for event in (*assignments[:1], *specifications[:1])], default=state.address_since
    )
    answer.since = free_since
    if answer.state == "daemon":
        answer.because.append("it is a daemon row: every unit runs it, and nobody claims it")
        if not state.enabled:
            answer.because.insert(0, _disabled(specifications))
        return
    if answer.state == "disabled":
        answer.because.append(_disabled(specifications))
        return
    there = [unit.address for unit in roster if unit.is_there]
    recorded = await store.rounds(connection, there, free_since, answer.at) if free_since else []
    newest = next(((r, e) for r in recorded if isinstance(e := r.event(), DeploymentClaimRound)), None)
    inputs = None
    if newest is not None:
        inputs = recorded_inputs(newest[1])
        answer.decided_at, answer.decided_by = newest[0].recorded_at, newest[0].unit_address
    candidate = store.with_needs(_as_candidate(answer), specifications)
    answer.verdicts = judge(candidate, inputs, roster)
    unusable = await store.unusable(connection, answer.deployment_id, free_since, answer.at) if free_since else None
    if unusable is not None and isinstance(said := unusable.event(), DeploymentUnusable):
        answer.because.append(f"it cannot be claimed before it is changed, because its history is broken: {said.fault}")
    else:
        answer.because.append(_why_nobody(answer.verdicts))
    if assignments and isinstance(released := assignments[0].event(), DeploymentReleased):
        answer.because.append(release_reason(released, names))


def _why_nobody(verdicts: list[Verdict]) -> str:
    kinds = {one.verdict for one in verdicts}
    if not verdicts:
        return "no unit is in the fleet"
    if "takes_it" in kinds:
        claimant = next(one for one in verdicts if one.verdict == "takes_it")
        return f"{claimant.name or claimant.address} would take it, but had not done so by then"
    if kinds & {"takes_another", "tie"}:
        return "other rows come before it"
    if "no_round" in kinds:
        return "no unit has run a round since it became free"
    return "no unit can run it" if kinds <= OBSTACLES else "no unit may claim it"


def _as_candidate(answer: Explanation) -> Candidate:
    name, _, version = answer.package.rpartition("@")
    return Candidate(id=answer.deployment_id, version=answer.version, package_name=name, package_version=version)
