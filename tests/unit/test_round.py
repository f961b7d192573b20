"""A round, case by case: each outcome with its events, as the report has them."""

from uuid import UUID

import msgspec
import pytest

from nodeunit.domain import can_run, ranking
from nodeunit.domain.claim_round import RoundInputs, conflict, decide
from nodeunit.domain.events import (
    DeploymentClaimAttempt,
    DeploymentClaimEligibility,
    DeploymentClaimSkipped,
)
from nodeunit.domain.policy import Usage
from tests.support.round_inputs import A, B, C, busy, candidate, inputs, unit


def claims(seen: RoundInputs) -> dict[str, int]:
    """Who would claim what, were all units to decide on this."""
    decisions = {unit.address: decide(unit.address, seen) for unit in seen.units}
    return {address: d.candidate.id.int for address, d in decisions.items() if d.candidate}


REPORT = inputs([busy(A, 0.15, 140.92), busy(B, 0.16, 141.91)], candidate(1), candidate(2))


def test_the_first_round_of_the_report() -> None:
    decision = decide(A, REPORT)
    assert (decision.outcome, decision.reason, decision.candidate) == ("claim", "", candidate(1))
    assert decision.skipped is None
    assert decision.eligibility == DeploymentClaimEligibility(
        eligible=True,
        policy=["resource_usage"],
        activeNodeUnits=[A, B],
        eligibleNodeUnits=[A],
        metrics={"resource_usage": 0.14380859375},
        minMetrics={"resource_usage": 0.14380859375},
        notEligibleReasons=[],
    )
    assert decision.attempt == DeploymentClaimAttempt(
        deployment_id=UUID(int=1), claimant=A, usage={A: Usage(0.15, 140.92), B: Usage(0.16, 141.91)}
    )
    assert conflict(decision.attempt) == DeploymentClaimSkipped("claim_conflict", deployment_id=UUID(int=1), claimant=A)


def test_the_other_unit_of_that_round_skips_and_says_what_it_had_to_beat() -> None:
    decision = decide(B, REPORT)
    assert (decision.outcome, decision.reason, decision.candidate) == ("skip", "not_eligible", None)
    assert decision.attempt is None
    assert decision.eligibility is not None
    assert not decision.eligibility.eligible
    assert decision.skipped == DeploymentClaimSkipped(
        "not_eligible",
        metrics={"resource_usage": 0.08 + 141.91 / 2048},
        minMetrics={"resource_usage": 0.14380859375},
        notEligibleReasons=["resource_usage:0.1493>0.1438"],
    )


def test_without_a_candidate_the_eligible_skip_and_say_only_that() -> None:
    decision = decide(A, inputs(list(REPORT.units)))
    assert decision.reason == "no_candidate"
    assert decision.skipped == DeploymentClaimSkipped("no_candidate")
    assert decision.eligibility is not None
    assert decision.eligibility.eligible
    assert decide(B, inputs(list(REPORT.units))).reason == "not_eligible"


def test_none_claims_nothing_and_holds_up_nobody() -> None:
    seen = inputs([unit(A, "none"), unit(B, deployment_count=5)], candidate(1))
    decision = decide(A, seen)
    assert (decision.outcome, decision.reason) == ("skip", "policy_disabled")
    assert decision.eligibility is None
    assert decision.skipped == DeploymentClaimSkipped("policy_disabled")
    assert claims(seen) == {B: 1}


def test_counts_are_whole_numbers_in_reasons() -> None:
    decision = decide(A, inputs([unit(A, deployment_count=3), unit(B, deployment_count=2)], candidate(1)))
    assert decision.skipped is not None
    assert decision.skipped.notEligibleReasons == ["deployment_count:3>2"]
    assert decision.skipped.metrics == {"deployment_count": 3}


def test_a_unit_without_a_sample_is_not_eligible_and_not_the_lowest() -> None:
    seen = inputs([unit(A, "resource_usage", measured=None), busy(B, 99, 9999)], candidate(1))
    assert claims(seen) == {B: 1}
    decision = decide(A, seen)
    assert decision.eligibility is not None
    assert decision.eligibility.metrics == {}
    assert decision.eligibility.notEligibleReasons == ["resource_usage:missing"]
    attempt = decide(B, seen).attempt
    assert attempt is not None
    assert attempt.usage == {B: Usage(99, 9999)}


def test_nobody_measured_nobody_eligible() -> None:
    seen = inputs([unit(A, "resource_usage"), unit(B, "resource_usage")], candidate(1))
    assert claims(seen) == {}
    eligibility = decide(A, seen).eligibility
    assert eligibility is not None
    assert (eligibility.eligibleNodeUnits, eligibility.minMetrics) == ([], {})
    assert eligibility.notEligibleReasons == ["resource_usage:missing"]


def test_tied_units_take_one_candidate_each_in_order_of_address() -> None:
    tied = [unit(C), unit(A), unit(B)]
    assert claims(inputs(tied, candidate(5), candidate(3), candidate(4), candidate(1))) == {A: 5, B: 3, C: 4}
    assert claims(inputs(tied, candidate(5))) == {A: 5}
    decision = decide(C, inputs(tied, candidate(5)))
    assert decision.reason == "no_candidate"
    assert decision.eligibility is not None
    assert decision.eligibility.eligibleNodeUnits == [A, B, C]


def test_rows_of_lost_units_come_first_because_they_are_given_first() -> None:
    decision = decide(A, inputs([unit(A)], candidate(9, holder="lost"), candidate(1)))
    assert decision.candidate == candidate(9, holder="lost")


def test_units_compare_only_with_those_that_may_run_the_package() -> None:
    idle_but_distrustful = unit(A, trusted="^@other/", deployment_count=0)
    seen = inputs([idle_but_distrustful, unit(B, deployment_count=7)], candidate(1))
    assert claims(seen) == {B: 1}
    eligibility = decide(B, seen).eligibility
    assert eligibility is not None
    assert (eligibility.activeNodeUnits, eligibility.eligibleNodeUnits) == ([A, B], [B])
    assert eligibility.minMetrics == {"deployment_count": 7}


def test_units_without_commands_are_not_compared_for_rows_that_have_one() -> None:
    command = msgspec.structs.replace(candidate(1), has_command=True)
    idle, busier = unit(A), unit(B, deployment_count=7, custom_command=True)
    assert claims(inputs([idle, busier], command, candidate(2))) == {A: 2, B: 1}
    assert claims(inputs([idle], command)) == {}
    eligibility = decide(B, inputs([idle, busier], command)).eligibility
    assert eligibility is not None
    assert (eligibility.eligibleNodeUnits, eligibility.minMetrics) == ([B], {"deployment_count": 7})
    more = [command, *(msgspec.structs.replace(candidate(n), has_command=bool(n % 2)) for n in range(2, 9))]
    decision = decide(B, inputs([idle, busier], *more))
    assert [row.has_command for row in decision.recorded.candidates] == [True, False, True, False]
    assert decide(B, decision.recorded) == decision


def test_a_unit_that_may_run_nothing_here_is_compared_with_all_of_its_policy() -> None:
    seen = inputs([unit(A, trusted="^@other/"), unit(B, deployment_count=1), unit(C, trusted="x")], candidate(1))
    assert decide(A, seen).reason == "no_candidate"
    eligibility = decide(A, seen).eligibility
    assert eligibility is not None
    assert eligibility.eligibleNodeUnits == [A, C]


def test_a_unit_takes_the_first_candidate_that_is_its_own() -> None:
    only_mine = candidate(3, package="@mine/app")
    seen = inputs([unit(A), unit(B, trusted="^@(yuants|mine)/")], candidate(1), only_mine, candidate(2))
    assert claims(seen) == {A: 1, B: 3}


def test_each_policy_group_has_its_own_minimum_and_no_row_is_wanted_twice() -> None:
    mixed = [unit(A, deployment_count=9), busy(B, 50, 5000), busy(C, 60, 6000), unit("x", "none")]
    assert claims(inputs(mixed, candidate(1))) == {A: 1}
    assert claims(inputs(mixed, candidate(1), candidate(2), candidate(3))) == {A: 1, B: 2}


def test_what_is_reserved_counts_and_the_attempt_shows_what_is_measured() -> None:
    seen = inputs([busy(A, 1, 100, reserved=Usage(2, 64)), busy(B, 2, 100)], candidate(1))
    assert claims(seen) == {B: 1}
    attempt = decide(B, seen).attempt
    assert attempt is not None
    assert attempt.usage[A] == Usage(1, 100)


def test_a_unit_that_is_not_active_claims_nothing() -> None:
    decision = decide(C, REPORT)
    assert (decision.outcome, decision.reason, decision.eligibility) == ("skip", "not_eligible", None)
    assert decision.skipped == DeploymentClaimSkipped("not_eligible", notEligibleReasons=["unit:not_active"])
    assert decision.recorded == REPORT


def test_what_a_package_needs_is_looked_up_once_for_all_units_that_are_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    tested: list[str] = []

    def counted(unit: can_run.Ability, row: can_run.Needs) -> bool:
        tested.append(row.package)
        return can_run.can_run(unit, row)

    monkeypatch.setattr(ranking, "can_run", counted)
    fleet = [unit(f"u{n:04}") for n in range(1000)]
    candidates = [candidate(n, f"@yuants/app-{n % 64}") for n in range(128)]
    assert len(ranking.Ranking(fleet).assign(candidates)) == 128
    assert sorted(tested) == sorted({row.package for row in candidates})


def test_the_shown_comparison_is_of_the_first_candidate_that_the_unit_is_eligible_for() -> None:
    lower = unit(A, trusted="x", deployment_count=0)
    first = unit(B, trusted="y", deployment_count=1)
    me = unit(C, trusted="x|y", deployment_count=1)
    waiting = candidate(0, "z"), candidate(1, "x"), candidate(2, "y")
    decision = decide(C, inputs([lower, first, me], *waiting))
    assert decision.reason == "no_candidate"
    assert decision.eligibility is not None
    assert decision.eligibility.eligibleNodeUnits == [B, C]
    # Eligible for none: that of the first one that it may run.
    decision = decide(C, inputs([lower, unit(B, trusted="y"), me], *waiting))
    assert decision.eligibility is not None
    assert (decision.reason, decision.eligibility.eligibleNodeUnits) == ("not_eligible", [A])


def test_of_units_with_several_trust_patterns_the_eligible_are_sorted() -> None:
    seen = inputs([unit(C, trusted="app"), unit(A, trusted="app"), unit(B, trusted="yu")], candidate(1))
    eligibility = decide(A, seen).eligibility
    assert eligibility is not None
    assert eligibility.eligibleNodeUnits == [A, B, C]
