"""Deciding recorded rounds again, as they were or under another policy.

Each round is decided again on its real recorded inputs, so each difference is exact. Later effects are only simulated:
`Distribution` moves the counts, which are known, and the usage, which is estimated, from the unit that held a row to
the unit that would have held it.
"""

from collections import Counter
from collections.abc import Iterable
from uuid import UUID

import msgspec

from nodeunit.domain.claim_round import RoundInputs
from nodeunit.domain.policy import Candidate, UnitView, Usage
from nodeunit.domain.ranking import Ranking


class PolicyOverride(msgspec.Struct, frozen=True):
    """Another policy, other weights, or both; None means as recorded. A unit with the policy `none` keeps it."""

    policy: str | None = None
    cpu_weight: float | None = None
    memory_weight: float | None = None

    @property
    def is_as_recorded(self) -> bool:
        return self == PolicyOverride()

    def apply(self, inputs: RoundInputs) -> RoundInputs:
        """The inputs with every unit deciding by this policy."""
        if self.is_as_recorded:
            return inputs
        return msgspec.structs.replace(inputs, units=tuple(map(self._of_unit, inputs.units)))

    def changes(self, inputs: RoundInputs) -> bool:
        """Whether any unit decides by another policy than was recorded."""
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
    """Which unit holds which row, as recorded and as simulated."""

    def __init__(self) -> None:
        self._recorded: dict[UUID, str] = {}
        self._simulated: dict[UUID, str] = {}
        self._more: Counter[str] = Counter()
        self.units: set[str] = set()
        """All units that took part, including those that never claimed anything."""
        self.claims: Counter[str] = Counter()
        """The number of rows that each unit claimed."""
        self.simulated_claims: Counter[str] = Counter()

    def claim(self, deployment_id: UUID, claimant: str, simulated: str) -> None:
        """Records a claim by `claimant`; in the simulation `simulated` claims the row, or no unit if it is empty."""
        self.release(deployment_id)
        self._recorded[deployment_id], self._simulated[deployment_id] = claimant, simulated
        self._more[claimant] -= 1
        self._more[simulated] += 1
        self.claims[claimant] += 1
        self.simulated_claims[simulated] += 1

    def release(self, deployment_id: UUID) -> None:
        """Records the release of a row, which ends its assignment in the simulation too."""
        if deployment_id in self._recorded:
            self._more[self._recorded.pop(deployment_id)] += 1
            self._more[self._simulated.pop(deployment_id)] -= 1

    def held(self) -> Counter[str]:
        """How many of the claimed rows each unit holds at the end."""
        return Counter(self._recorded.values())

    def simulated_held(self) -> Counter[str]:
        """The same for the simulation."""
        return Counter(self._simulated.values())

    def claimant_of(self, candidate: Candidate, inputs: RoundInputs) -> str | None:
        """The unit that claims this row in the simulation; None if no unit does.

        A row that no unit would take in this round would be claimed in a later one; here the lowest unit takes it at
        once.
        """
        ranking = Ranking(map(self._moved, inputs.units))
        for address, taken in ranking.assign(inputs.candidates).items():
            if taken.id == candidate.id:
                return address
        return next(iter(ranking.assign((candidate,))), None)

    def _moved(self, unit: UnitView) -> UnitView:
        """The unit with its simulated rows instead of the recorded ones.

        The count of rows is exact. Their usage is estimated by the unit's average usage of a row.
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
    """The maximum divided by the mean: 1 is even; None if there is no load."""
    loads = list(loads)
    total = sum(loads)
    return max(loads) * len(loads) / total if total else None
