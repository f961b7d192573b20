"""A claim round of one unit as a function: from what the unit sees to what it does and which events say so.

The decision is made from the recorded part of the inputs (`domain.recorded_round`). So the log holds exactly what was
decided on, and deciding again gives the same.
"""

from typing import Literal

import msgspec
from msgspec import UNSET

from nodeunit.domain.can_run import can_run
from nodeunit.domain.events import (
    DeploymentClaimAttempt,
    DeploymentClaimEligibility,
    DeploymentClaimRound,
    DeploymentClaimSkipped,
)
from nodeunit.domain.policy import NOTHING, Candidate, Policy, UnitView, metric
from nodeunit.domain.ranking import NOBODY, Comparison, Ranking
from nodeunit.domain.recorded_round import worth_recording


class RoundInputs(msgspec.Struct, frozen=True):
    """Everything that a round decides on."""

    units: tuple[UnitView, ...]
    """The active units with the deciding one among them, each address once."""
    candidates: tuple[Candidate, ...]
    """Rows to claim in claiming order: those of lost units first, then by age."""
    units_left_out: int = 0
    candidates_left_out: int = 0


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    """What the unit does in this round, and the events that say so."""

    outcome: Literal["claim", "skip"]
    reason: str = ""
    """The reason of a skip: `not_eligible`, `no_candidate` or `policy_disabled`; empty for a claim."""
    candidate: Candidate | None = None
    """The row to claim."""
    eligibility: DeploymentClaimEligibility | None = None
    """`None` under the policy `none`."""
    attempt: DeploymentClaimAttempt | None = None
    skipped: DeploymentClaimSkipped | None = None
    recorded: RoundInputs
    """The inputs to record: `decide` gives the same decision for them."""


def decide(me: str, inputs: RoundInputs, *, briefly: bool = False) -> Decision:
    """What unit `me` does under the policy of its own `UnitView`. It claims at most one candidate. `briefly`: record
    little, because the round follows another one from the same look.

    A unit that is not among the active units claims nothing: it skips as `not_eligible`.
    """
    units, candidates = worth_recording(me, inputs.units, inputs.candidates, briefly=briefly)
    recorded = RoundInputs(
        units,
        candidates,
        inputs.units_left_out + len(inputs.units) - len(units),
        inputs.candidates_left_out + len(inputs.candidates) - len(candidates),
    )
    mine = next((unit for unit in units if unit.address == me), None)
    if mine is None:
        skipped = DeploymentClaimSkipped("not_eligible", notEligibleReasons=["unit:not_active"])
        return Decision(outcome="skip", reason="not_eligible", skipped=skipped, recorded=recorded)
    if mine.policy == "none":
        skipped = DeploymentClaimSkipped("policy_disabled")
        return Decision(outcome="skip", reason="policy_disabled", skipped=skipped, recorded=recorded)

    ranking = Ranking(units)
    candidate = ranking.assign(candidates).get(me)
    comparison = _deciding_comparison(mine, candidate, candidates, ranking)
    eligibility = _eligibility(mine, comparison, units)
    if candidate is not None:
        usage = {unit.address: unit.measured for unit in units if unit.measured is not None}
        attempt = DeploymentClaimAttempt(candidate.id, me, usage)
        return Decision(
            outcome="claim", candidate=candidate, eligibility=eligibility, attempt=attempt, recorded=recorded
        )
    if eligibility.eligible:
        skipped = DeploymentClaimSkipped("no_candidate")
    else:
        skipped = DeploymentClaimSkipped(
            "not_eligible",
            metrics=eligibility.metrics,
            minMetrics=eligibility.minMetrics,
            notEligibleReasons=eligibility.notEligibleReasons,
        )
    return Decision(outcome="skip", reason=skipped.reason, eligibility=eligibility, skipped=skipped, recorded=recorded)


def conflict(attempt: DeploymentClaimAttempt) -> DeploymentClaimSkipped:
    """The event of a unit whose attempt lost the race for the row."""
    return DeploymentClaimSkipped("claim_conflict", attempt.deployment_id, attempt.claimant)


def record(me: str, wake_up: str, decision: Decision) -> DeploymentClaimRound:
    """The event that keeps the inputs of a round. `wake_up` is the reason why the round ran."""
    mine = next((unit for unit in decision.recorded.units if unit.address == me), None)
    return DeploymentClaimRound(
        wake_up=wake_up,
        policy=mine.policy if mine else "",
        cpu_weight=mine.cpu_weight if mine else 0.5,
        memory_weight=mine.memory_weight if mine else 0.5,
        units=list(decision.recorded.units),
        candidates=list(decision.recorded.candidates),
        units_left_out=decision.recorded.units_left_out,
        candidates_left_out=decision.recorded.candidates_left_out,
        outcome=decision.reason or decision.outcome,
        deployment_id=decision.candidate.id if decision.candidate else UNSET,
    )


def recorded_inputs(event: DeploymentClaimRound) -> RoundInputs:
    """The inputs as they were recorded. Deciding again with them gives what was decided."""
    return RoundInputs(tuple(event.units), tuple(event.candidates), event.units_left_out, event.candidates_left_out)


def claims(inputs: RoundInputs) -> dict[str, Candidate]:
    """What each unit would claim, by address. Units that would claim nothing are left out."""
    return Ranking(inputs.units).assign(inputs.candidates)


def wake_ups(me: str, before: RoundInputs | None, after: RoundInputs) -> list[str]:
    """The units that `me` must wake, sorted, without itself: those that would claim now and would not have before.

    `after` is what `me` sees now, after its claim or in a round that it skipped. `before` is what it saw the last
    time; if it has never looked, all units that would claim are woken.

    Others may have committed in between, so `before` need not be the state that a claim met. Two units at {0, 0} both
    claim, and the second sees {1, 1}. In {0, 0} the first would have claimed as well, but it looked at {1, 0} and went
    to sleep. So a unit stays asleep only if it would also have claimed in the present state without the change of
    `me`: with `me` as it was, with its new sample and what it had reserved, and with nothing reserved. A model in the
    tests shows that no wake-up is lost. Only two samples of one unit without a round between them can leave a row
    waiting until the next heartbeat.
    """
    now = claims(after).keys()
    old = None if before is None else next((unit for unit in before.units if unit.address == me), None)
    new = next((unit for unit in after.units if unit.address == me), None)
    if before is None or not now:
        return sorted(now - {me})
    awake = set(claims(before))
    if old is not None and new is not None:
        sampled = msgspec.structs.replace(old, measured=new.measured)
        for self_before in (old, sampled, msgspec.structs.replace(sampled, reserved=NOTHING)):
            units = tuple(self_before if unit.address == me else unit for unit in after.units)
            awake &= claims(RoundInputs(units, after.candidates)).keys()
    return sorted(now - awake - {me})


def _deciding_comparison(
    mine: UnitView, candidate: Candidate | None, candidates: tuple[Candidate, ...], ranking: Ranking
) -> Comparison:
    """The comparison that the eligibility event shows.

    It is the comparison for the candidate that `mine` takes, otherwise for the first candidate that it is eligible for
    but others take, otherwise for the first candidate that it can run. If it can run none, all units of its policy are
    compared.
    """
    policy = Policy.of(mine)
    if candidate is not None:
        return ranking.for_needs(candidate.needs)[policy]
    runnable = dict.fromkeys(c.needs for c in candidates if can_run(mine, c))
    comparisons = [ranking.for_needs(needs).get(policy, NOBODY) for needs in runnable]
    for comparison in comparisons:
        if mine.address in comparison.eligible:
            return comparison
    return comparisons[0] if comparisons else ranking.among_all(policy)


def _eligibility(mine: UnitView, comparison: Comparison, units: tuple[UnitView, ...]) -> DeploymentClaimEligibility:
    name = mine.policy
    value = metric(Policy.of(mine), mine)
    eligible = mine.address in comparison.eligible
    if eligible:
        reasons = []
    elif value is None or comparison.minimum is None:
        reasons = [f"{name}:missing"]
    elif name == "deployment_count":
        reasons = [f"{name}:{value}>{comparison.minimum}"]
    else:
        reasons = [f"{name}:{value:.4f}>{comparison.minimum:.4f}"]
    return DeploymentClaimEligibility(
        eligible=eligible,
        policy=[name],
        activeNodeUnits=[unit.address for unit in units],
        eligibleNodeUnits=list(comparison.eligible),
        metrics={} if value is None else {name: value},
        minMetrics={} if comparison.minimum is None else {name: comparison.minimum},
        notEligibleReasons=reasons,
    )
