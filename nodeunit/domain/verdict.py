"""Why a unit holds a deployment or does not: for each unit, the condition or value that decided it.

Verdicts are computed from the recorded inputs of a round, by the rules that decided it (`domain.ranking`), and from the
units that were in the fleet. So a verdict explains the inputs of the real decision.
"""

from collections.abc import Iterable

import msgspec

from nodeunit.domain.can_run import Able, Needy, obstacle
from nodeunit.domain.claim_round import RoundInputs
from nodeunit.domain.fleet import UnitState
from nodeunit.domain.policy import Candidate, Policy, UnitView, metric
from nodeunit.domain.ranking import NOBODY, Ranking


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """The verdict on one unit about one deployment."""

    address: str
    name: str
    verdict: str
    """`takes_it`, `tie`, `takes_another`, `higher`, `missing`, `policy_none`, `cordoned`, `draining`, `not_active`,
    `not_recorded`, `no_round`, or an obstacle of `domain.can_run`."""
    policy: str
    value: float | None = None
    """The metric of the unit under its policy."""
    to_beat: float | None = None
    """The lowest among the units that can run the row and decide by the same policy and weights."""
    because: str
    """The verdict in words."""


def judge(candidate: Candidate, inputs: RoundInputs | None, roster: Iterable[UnitState]) -> list[Verdict]:
    """A verdict for each unit of the roster that is in the fleet and each unit that the round saw, by address.

    Without inputs, because no round has run, the roster alone decides. A candidate that the round did not have is
    judged as if it came last.
    """
    there = {unit.address: unit for unit in roster if unit.is_there}
    views = {view.address: view for view in inputs.units} if inputs else {}
    ranking = Ranking(views.values())
    candidates = inputs.candidates if inputs else ()
    if all(known.id != candidate.id for known in candidates):
        candidates = (*candidates, candidate)
    assigned = ranking.assign(candidates)
    verdicts = []
    for address in sorted(there.keys() | views.keys()):
        unit = there.get(address)
        if address in views:
            verdicts.append(_of_view(candidate, views[address], unit.name if unit else "", ranking, assigned))
        elif unit is not None:
            verdicts.append(_of_absent(candidate, unit, inputs))
    return verdicts


def _of_view(
    candidate: Candidate, view: UnitView, name: str, ranking: Ranking, assigned: dict[str, Candidate]
) -> Verdict:
    policy = Policy.of(view)
    value = metric(policy, view)
    to_beat = ranking.for_needs(candidate.needs).get(policy, NOBODY).minimum
    claimant = next((address for address, taken in assigned.items() if taken.id == candidate.id), None)
    cannot = obstacle(view, candidate)
    verdict: str
    if view.policy == "none":
        verdict, because = "policy_none", "its policy is none: it claims nothing"
    elif cannot:
        verdict, because = cannot, _in_words(view, candidate)
    elif value is None:
        verdict, because = "missing", f"{view.policy} is missing: no fresh sample"
    elif to_beat is not None and value > to_beat:
        verdict, because = "higher", f"{_shown(view.policy, value)} > {_shown(view.policy, to_beat)}"
    elif claimant == view.address:
        verdict, because = "takes_it", f"lowest: {_shown(view.policy, value)}"
    elif view.address in assigned:
        other = assigned[view.address]
        verdict, because = "takes_another", f"as low as any, and takes {other.id}, which comes first"
    else:
        verdict, because = "tie", f"as low as any: {_shown(view.policy, value)}, and {claimant} comes first by address"
    return Verdict(
        address=view.address,
        name=name,
        verdict=verdict,
        policy=view.policy,
        value=value,
        to_beat=None if verdict == cannot else to_beat,
        because=because,
    )


def _of_absent(candidate: Candidate, unit: UnitState, inputs: RoundInputs | None) -> Verdict:
    """A unit in the fleet that the round did not see."""
    verdict: str
    if unit.membership == "draining":
        verdict, because = "draining", "it is leaving the fleet"
    elif unit.cordoned:
        verdict, because = "cordoned", "an operator has cordoned it"
    elif unit.policy == "none":
        verdict, because = "policy_none", "its policy is none: it claims nothing"
    elif cannot := obstacle(unit, candidate):
        verdict, because = cannot, _in_words(unit, candidate)
    elif inputs is None:
        verdict, because = "no_round", "it has run no round since the row became free"
    elif inputs.units_left_out:
        verdict, because = "not_recorded", "the round recorded only the units that mattered, and this one did not"
    else:
        verdict, because = "not_active", "no recent heartbeat: it took no part in the round"
    return Verdict(address=unit.address, name=unit.name, verdict=verdict, policy=unit.policy, because=because)


def _in_words(unit: Able, row: Needy) -> str:
    """What keeps a unit from running a row."""
    match obstacle(unit, row):
        case "untrusted":
            return f"{row.package} does not match what it trusts: {unit.trusted}"
        case "commands_off":
            return "the row has a command, and it runs none (ENABLE_CUSTOM_COMMAND)"
        case "no_runtime":
            return f"it cannot install {row.runtime} packages: {row.runtime} was not found when it joined"
        case _:
            lacks = sorted(set(row.secrets).difference(unit.secrets))
            return f"it has no secret {', '.join(lacks)} (NODE_UNIT_SECRETS_DIR)"


def _shown(policy: str, value: float) -> str:
    return f"{policy} {value}" if policy == "deployment_count" else f"{policy} {value:.4f}"
