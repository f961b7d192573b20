"""Deciding recorded rounds again, as they were or under another policy.

Under another policy the past would have gone on differently, and a round's recorded inputs are those of what really
happened. So a decision that differs is exact: these inputs, that policy. Who would hold which row is simulated from
round to round: `Distribution` moves the counts, which it knows, and the usage, which it can only estimate, from the
unit that held a row to the unit that would have held it.
"""

from collections import Counter
from collections.abc import Iterable
from uuid import UUID

import msgspec

from nodeunit.domain.claim_round import RoundInputs
from nodeunit.domain.policy import Candidate, UnitView, Usage
from nodeunit.domain.ranking import Ranking


class PolicyOverride(msgspec.Struct, frozen=True):
    """Another policy, other weights, or both; None: as recorded. A unit whose policy is `none` stays out."""

    policy: str | None = None
    cpu_weight: float | None = None
    memory_weight: float | None = None

    @property
    def is_as_recorded(self) -> bool:
        return self == PolicyOverride()

    def apply(self, inputs: RoundInputs) -> RoundInputs:
        """The inputs, with every unit deciding this way."""
        if self.is_as_recorded:
            return inputs
        return msgspec.structs.replace(inputs, units=tuple(map(self._of_unit, inputs.units)))

    def changes(self, inputs: RoundInputs) -> bool:
        """Whether anybody decides in another way than was recorded."""
        return self.apply(inputs) != inputs

    def _of_unit(self, unit: UnitView) -> UnitView:
        if unit.policy == "none":
            return unit
        return msgspec.structs.replace(
            unit,
            policy=unit.policy if self.policy is None else self.policy,
            cpu_weight=unit.cpu_weight if self.cpu_weight is None else self.cpu_weight,
            memory_weight=unit.memory_weight if self.memory_weight is None else self.memory_weight,
        )


class Distribution:
    """Who holds which row, as it was and as it would have been."""

    def __init__(self) -> None:
        self._recorded: dict[UUID, str] = {}
        self._instead: dict[UUID, str] = {}
        self._more: Counter[str] = Counter()
        self.units: set[str] = set()
        """Every unit that took part; one that never claimed anything counts as well."""
        self.claims: Counter[str] = Counter()
        """How many rows each unit claimed."""
        self.claims_instead: Counter[str] = Counter()

    def claim(self, deployment_id: UUID, claimant: str, instead: str) -> None:
        """A row was claimed, and would have been by another, the same, or nobody (empty)."""
        self.release(deployment_id)
        self._recorded[deployment_id], self._instead[deployment_id] = claimant, instead
        self._more[claimant] -= 1
        self._more[instead] += 1
        self.claims[claimant] += 1
        self.claims_instead[instead] += 1

    def release(self, deployment_id: UUID) -> None:
        """A row is nobody's again: whoever would have had it has it no longer either."""
        if deployment_id in self._recorded:
            self._more[self._recorded.pop(deployment_id)] += 1
            self._more[self._instead.pop(deployment_id)] -= 1

    def held(self) -> Counter[str]:
        """How many of the rows that were claimed each unit has at the end."""
        return Counter(self._recorded.values())

    def held_instead(self) -> Counter[str]:
        """How many it would have."""
        return Counter(self._instead.values())

    def claimant_of(self, candidate: Candidate, inputs: RoundInputs) -> str | None:
        """Who would have claimed this row, had the rows been spread as they would have been until then.

        A row that would have gone to nobody in this round goes to who is lowest, later: here at once. None: to nobody.
        """
        ranking = Ranking(map(self._moved, inputs.units))
        for address, taken in ranking.assign(inputs.candidates).items():
            if taken.id == candidate.id:
                return address
        return next(iter(ranking.assign((candidate,))), None)

    def _moved(self, unit: UnitView) -> UnitView:
        """The unit with the rows it would have had, in place of those it had.

        The count of rows is exact; what the rows use is estimated by the unit's average of a row.
        """
        more = self._more[unit.address]
        if more == 0:
            return unit
        count = max(unit.deployment_count + more, 0)
        measured = unit.measured
        if measured is not None and unit.deployment_count:
            share = count / unit.deployment_count
            measured = Usage(measured.cpu_percent * share, measured.memory_mb * share)
        return msgspec.structs.replace(unit, deployment_count=count, measured=measured)


def imbalance(loads: Iterable[int]) -> float | None:
    """The maximum over the mean: 1 is even; None when there is no load."""
    loads = list(loads)
    total = sum(loads)
    return max(loads) * len(loads) / total if total else None
