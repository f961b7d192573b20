"""Which units are eligible for which candidate, and which unit takes which candidate when all see the same.

Units compare themselves with the units that can run the same row and decide by the same policy and weights. A fleet
of mixed policies is therefore several groups, each with its own minimum: values of different policies cannot be
compared, and in comparison with a unit that never claims (`none`) no unit would be the lowest.

Eligible units avoid conflicts. Each candidate, in claiming order, goes to the first of its eligible units by address
that has none yet. Where all units can run everything, the k-th eligible unit takes the k-th candidate. Every unit
computes the same from the same inputs, so no two units try to claim one candidate, and a candidate with eligible units
is left over only while each of them has an earlier one to claim.
"""

from collections.abc import Iterable, Iterator
from itertools import chain
from typing import NamedTuple

from nodeunit.domain.can_run import Ability, Needs, can_run
from nodeunit.domain.policy import Candidate, Policy, UnitView, metric


class Comparison(NamedTuple):
    """The outcome of comparing units of one policy."""

    minimum: float | None
    """The lowest value; `None` if no unit has one."""
    eligible: tuple[str, ...]
    """Addresses of the units that have the minimum, sorted."""


NOBODY = Comparison(None, ())


class Ranking:
    """All comparisons among the given units, each computed once.

    Units with the same policy and ability differ only in their value, so a comparison needs only the lowest of
    each such group: a thousand units of one configuration cost one pass.
    """

    def __init__(self, units: Iterable[UnitView]) -> None:
        lowest: dict[tuple[Policy, Ability], tuple[float, list[str]]] = {}
        for unit in units:
            policy = Policy.of(unit)
            value = metric(policy, unit)
            if value is None:
                continue
            group = (policy, unit.ability)
            if group not in lowest or value < lowest[group][0]:
                lowest[group] = (value, [unit.address])
            elif value == lowest[group][0]:
                lowest[group][1].append(unit.address)
        self._lowest = lowest
        self._by_needs: dict[Needs, dict[Policy, Comparison]] = {}

    def among_all(self, policy: Policy) -> Comparison:
        """The comparison of all units of this policy, whatever they can run."""
        return _compare(low for (its_policy, _), low in self._lowest.items() if its_policy == policy)

    def for_needs(self, needs: Needs) -> dict[Policy, Comparison]:
        """The comparison of the units that can run a row of these needs, by policy."""
        if needs not in self._by_needs:
            by_policy: dict[Policy, list[tuple[float, list[str]]]] = {}
            for (policy, ability), low in self._lowest.items():
                if can_run(ability, needs):
                    by_policy.setdefault(policy, []).append(low)
            self._by_needs[needs] = {policy: _compare(lows) for policy, lows in by_policy.items()}
        return self._by_needs[needs]

    def assign(self, candidates: Iterable[Candidate]) -> dict[str, Candidate]:
        """Which unit (by address) takes which candidate, at most one each; `candidates` in claiming order."""
        assigned: dict[str, Candidate] = {}
        waiting: dict[Needs, Iterator[str]] = {}
        for candidate in candidates:
            needs = candidate.needs
            if needs not in waiting:
                eligible = chain.from_iterable(c.eligible for c in self.for_needs(needs).values())
                waiting[needs] = iter(sorted(eligible))
            # A unit keeps what it has, so each iterator moves forward only and is consumed once.
            unit = next((address for address in waiting[needs] if address not in assigned), None)
            if unit is not None:
                assigned[unit] = candidate
        return assigned


def _compare(lows: Iterable[tuple[float, list[str]]]) -> Comparison:
    lows = list(lows)
    if not lows:
        return NOBODY
    minimum = min(value for value, _ in lows)
    return Comparison(minimum, tuple(sorted(chain.from_iterable(at for value, at in lows if value == minimum))))
