"""Decides the rounds of a report again, from its table alone, which `domain.rounds_table` reads."""

from nodeunit.audit.backtest import Backtest, DecisionDifference, Tally
from nodeunit.domain import rounds_table
from nodeunit.domain.policy import Weights
from nodeunit.domain.ranking import Ranking
from nodeunit.domain.what_if import PolicyOverride

POLICY = "resource_usage"
"""The policy whose metrics such a table shows."""


def backtest(markdown: str, override: PolicyOverride) -> Backtest:
    """Decides each round of the first rounds table in the text again. Raises InputFileInvalid.

    The table has one candidate per round and does not show which units decided at the same time, so a decision counts
    as reproduced if the claimant is eligible.
    """
    rows = rounds_table.read(markdown)
    policy = override.policy or POLICY
    weights = Weights(
        Weights().cpu if override.cpu_weight is None else override.cpu_weight,
        Weights().memory if override.memory_weight is None else override.memory_weight,
    )
    tally = Tally()
    tally.another_policy = policy != POLICY or weights.normalised() != Weights()
    for row, inputs in zip(rows, rounds_table.inputs(rows, policy, weights), strict=True):
        (candidate,) = inputs.candidates
        ranking = Ranking(inputs.units)
        eligible = [unit for compared in ranking.for_needs(candidate.needs).values() for unit in compared.eligible]
        difference = None
        if row.claimant not in eligible:
            difference = DecisionDifference(
                at=None,
                position=row.number,
                unit=row.claimant,
                recorded=f"{row.claimant} claims {row.deployment}",
                instead=f"{' or '.join(eligible) or 'nobody'} claims it",
            )
        tally.count("claim", "claim" if difference is None else "not_eligible", difference)
        tally.distribution.units.update(row.usage)
        instead = row.claimant if row.claimant in eligible else tally.distribution.claimant_of(candidate, inputs) or ""
        tally.distribution.claim(candidate.id, row.claimant, instead)
    return tally.result()
