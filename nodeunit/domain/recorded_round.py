"""What a round records so that it can be decided again: everything that matters, and nothing else.

Up to `ALL_UNITS` units all are recorded. Such a record shows exactly what any other policy would have done. In larger
fleets, a record of all units in each round would outweigh the rest of the log, so only these units are recorded: the
unit itself, the first ten eligible units for each kind of candidate and policy, and the ten lowest by the unit's own
policy, by `deployment_count` and by `resource_usage`. The others are left out together with the candidates that they
take: the minima stay the same and each candidate that is left goes to the same unit, so the decision stays the same.
The events of the round list the addresses and usages of the recorded units.

Of the candidates with the same needs no more are recorded than there are recorded units: each unit takes at most one,
so the others are out of reach under any policy.

A round that follows another one from the same look (`domain.forward_play`) is recorded briefly if there are more than
four units: the unit itself, the first three eligible units for each kind of candidate and policy, and their candidates
up to that of the unit. What else there was is in the record of the first of these rounds.
"""

import math
from collections.abc import Iterator
from heapq import nsmallest

import msgspec

from nodeunit.domain.can_run import Needs
from nodeunit.domain.policy import NOTHING, Candidate, Policy, UnitView, Usage, Weights, metric
from nodeunit.domain.ranking import Ranking

ALL_UNITS = 50
NEAREST = 10
NEAREST_BRIEFLY = 3


def worth_recording(
    me: str, units: tuple[UnitView, ...], candidates: tuple[Candidate, ...], *, briefly: bool = False
) -> tuple[tuple[UnitView, ...], tuple[Candidate, ...]]:
    """The units (by address) and candidates (in their order) on which `me` decides as on all."""
    ordered = sorted(units, key=lambda unit: unit.address)
    if len(ordered) > (NEAREST_BRIEFLY + 1 if briefly else ALL_UNITS):
        ranking = Ranking(ordered)
        taken = {row.id: address for address, row in ranking.assign(candidates).items()}
        if briefly:
            mine = next((n for n, row in enumerate(candidates) if taken.get(row.id) == me), len(candidates) - 1)
            candidates = tuple(row for row in candidates[: mine + 1] if row.id in taken)
            keep = {me, *_eligible(ranking, candidates, NEAREST_BRIEFLY)}
        else:
            keep = _units_that_count(me, ordered, candidates, ranking)
        candidates = tuple(row for row in candidates if taken.get(row.id, me) in keep)
        ordered = [unit for unit in ordered if unit.address in keep]
    kept = []
    seen: dict[Needs, int] = {}
    for candidate in candidates:
        seen[candidate.needs] = seen.get(candidate.needs, 0) + 1
        if seen[candidate.needs] <= len(ordered):
            kept.append(candidate)
    return tuple(map(_storable, ordered)), tuple(kept)


def _eligible(ranking: Ranking, candidates: tuple[Candidate, ...], first: int) -> Iterator[str]:
    """The first eligible units for each kind of candidate and policy."""
    for needs in {candidate.needs for candidate in candidates}:
        for comparison in ranking.for_needs(needs).values():
            yield from comparison.eligible[:first]


def _units_that_count(me: str, units: list[UnitView], candidates: tuple[Candidate, ...], ranking: Ranking) -> set[str]:
    keep = {me, *_eligible(ranking, candidates, NEAREST)}
    policies = {Policy("deployment_count"), Policy("resource_usage")}
    policies.update(Policy.of(unit) for unit in units if unit.address == me)
    for policy in policies:
        # Without a candidate the unit is compared with all of its policy.
        keep.update(ranking.among_all(policy).eligible[:NEAREST])
        valued = ((metric(policy, unit), unit.address) for unit in units)
        keep.update(address for _, address in nsmallest(NEAREST, ((v, a) for v, a in valued if v is not None)))
    return keep


def _storable(unit: UnitView) -> UnitView:
    """The unit without nan and infinity, which JSON does not have: such a number is recorded as the value that it has
    in a comparison."""
    if not _finite(unit.reserved) or (unit.measured is not None and not _finite(unit.measured)):
        unit = msgspec.structs.replace(unit, measured=None, reserved=NOTHING)
    if not (math.isfinite(unit.cpu_weight) and math.isfinite(unit.memory_weight)):
        weights = Weights(unit.cpu_weight, unit.memory_weight).normalised()
        unit = msgspec.structs.replace(unit, cpu_weight=weights.cpu, memory_weight=weights.memory)
    return unit


def _finite(usage: Usage) -> bool:
    return math.isfinite(usage.cpu_percent) and math.isfinite(usage.memory_mb)
