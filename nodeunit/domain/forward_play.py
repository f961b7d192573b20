"""The next rounds of a fleet, played forward from one look, so that a unit claims all of its own of them at once.

All units see the same and compute the same: each waiting row goes to the lowest unit that can run it, whose metric then
rises by one row, or by what such a program is expected to use, and so on. What a unit gets in this game it claims, each
row as a round of its own: its inputs are the state of the game at that moment, from which the round can be decided
again. A unit that sees something else, because it looked earlier or later, may want a row that another one has: that
costs this row, not the others, and it looks again.
"""

from collections.abc import Mapping

import msgspec

from nodeunit.domain.claim_round import Decision, RoundInputs, decide
from nodeunit.domain.policy import NOTHING, Candidate, UnitView, Usage
from nodeunit.domain.ranking import Ranking

SPARE_CANDIDATES = 4
"""Besides one row per unit, a round looks at a few more, because some rows can run only on some units."""

MOST_COMPARISONS = 100_000
"""Looks at a unit before the game ends for now: about 0.1 s of computing. What is left over is for the next look."""


class Forecast(msgspec.Struct, frozen=True):
    """What programs that are claimed now will use."""

    typical: Mapping[str, Usage] = {}
    """The usual usage of a program, by `name@version` of its package, as far as any was measured."""
    default: Mapping[str, Usage] = {}
    """What a unit reserves for a program that was never measured, by the unit's address."""

    def of(self, unit: UnitView, candidate: Candidate) -> Usage:
        """What the unit will have reserved for this row once it has claimed it."""
        return self.typical.get(candidate.package) or self.default.get(unit.address, NOTHING)


def play(me: str, inputs: RoundInputs, forecast: Forecast, most: int) -> list[Decision]:
    """The claims of unit `me` in the next rounds, in their order, at most so many; empty if it claims nothing.

    The first is what `decide` says if the unit claims now. In the others the units that come first have claimed.
    """
    units = {unit.address: unit for unit in inputs.units}
    waiting = list(inputs.candidates)
    window = len(units) + SPARE_CANDIDATES
    decisions: list[Decision] = []
    for played in range(1 + MOST_COMPARISONS // max(len(units), 1)):
        ranking = Ranking(units.values())
        if played == 1:  # once, because in the game no unit gets a value that had none
            waiting = [row for row in waiting if any(c.eligible for c in ranking.for_needs(row.needs).values())]
        ahead = waiting if played == 0 else waiting[:window]
        claims = ranking.assign(ahead)
        if not claims:
            break
        if me in claims:
            beyond = inputs.candidates_left_out + len(waiting) - len(ahead)
            state = RoundInputs(tuple(units.values()), tuple(ahead), inputs.units_left_out, beyond)
            decisions.append(decide(me, state, briefly=played > 0))
            if len(decisions) == most:
                break
        for address, row in claims.items():
            units[address] = _with(units[address], forecast.of(units[address], row))
        taken = {row.id for row in claims.values()}
        waiting[: len(ahead)] = [row for row in ahead if row.id not in taken]
    return decisions


def _with(unit: UnitView, more: Usage) -> UnitView:
    """The unit after a claim."""
    return msgspec.structs.replace(unit, deployment_count=unit.deployment_count + 1, reserved=unit.reserved + more)
