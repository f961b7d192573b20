"""A round, case by case: each outcome with its events, as the report has them."""

import math
from uuid import UUID

import msgspec
import pytest

from nodeunit.domain import ranking, trust
from nodeunit.domain.claim_round import RoundInputs, conflict, decide, record, recorded_inputs, wake_ups
from nodeunit.domain.event_json import decode, encode
from nodeunit.domain.events import (
    DeploymentClaimAttempt,
    DeploymentClaimEligibility,
    DeploymentClaimRound,
    DeploymentClaimSkipped,
)
from nodeunit.domain.policy import Candidate, UnitView, Usage

A, B, C = "5DAR2ZCr", "GJ93nFZv", "HzK5aRew"
"""Addresses in their order."""


def unit(address: str, policy: str = "deployment_count", **fields: object) -> UnitView:
    return UnitView(address=address, policy=policy, **{"trusted": "^@yuants/", **fields})  # type: ignore[arg-type]


def busy(address: str, cpu: float, memory: float, **fields: object) -> UnitView:
    return unit(address, "resource_usage", measured=Usage(cpu, memory), **fields)


def candidate(number: int, package: str = "@yuants/app-portal", holder: str = "") -> Candidate:
    return Candidate(id=UUID(int=number), version=number, holder=holder, package_name=package, package_version="0.2.26")


def inputs(units: list[UnitView], *candidates: Candidate) -> RoundInputs:
    return RoundInputs(tuple(units), candidates)


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


def test_a_row_with_a_command_is_no_reason_to_refuse() -> None:
    row = msgspec.structs.replace(candidate(1), has_command=True)
    assert claims(inputs([unit(A, custom_command=False)], row)) == {A: 1}


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


def test_the_record_of_a_round_decides_it_again_after_a_way_through_json() -> None:
    decision = decide(A, REPORT)
    event = record(A, "deployment", decision)
    assert event.outcome == "claim"
    assert event.deployment_id == UUID(int=1)
    stored = decode("DeploymentClaimRound", encode(event))
    assert stored == event
    assert isinstance(stored, DeploymentClaimRound)
    assert decide(A, recorded_inputs(stored)) == decision
    assert record(B, "deployment", decide(B, REPORT)).outcome == "not_eligible"


def test_the_record_can_be_stored_whatever_was_measured() -> None:
    odd = busy(A, math.nan, 1, cpu_weight=math.inf)
    decision = decide(A, inputs([odd, busy(B, 1, math.inf, reserved=Usage(math.nan, 0))], candidate(1)))
    event = record(A, "deployment", decision)
    assert decode("DeploymentClaimRound", encode(event)) == event
    assert [unit.measured for unit in event.units] == [None, None]
    assert decision.reason == "not_eligible"


def test_the_record_has_as_many_like_candidates_as_could_ever_be_claimed() -> None:
    decision = decide(A, inputs([unit(A), unit(B)], *map(candidate, range(21)), candidate(99, "@yuants/other")))
    assert [row.id.int for row in decision.recorded.candidates] == [0, 1, 99]
    assert decision.recorded.candidates_left_out == 19
    assert decision.recorded.units_left_out == 0


def test_all_are_recorded_up_to_fifty_units_and_few_beyond() -> None:
    fleet = [busy(f"u{n:04}", n, 100) for n in range(1000)]
    assert len(decide("u0000", inputs(fleet[:50], candidate(1))).recorded.units) == 50
    decision = decide("u0500", inputs(fleet, candidate(1)))
    recorded = [unit.address for unit in decision.recorded.units]
    assert recorded == [*(f"u{n:04}" for n in range(10)), "u0500"]
    assert decision.recorded.units_left_out == 989
    assert decision.eligibility is not None
    assert decision.eligibility.activeNodeUnits == recorded
    attempt = decide("u0000", inputs(fleet, candidate(1))).attempt
    assert attempt is not None
    assert list(attempt.usage) == [f"u{n:04}" for n in range(10)]


def test_the_unit_to_beat_is_recorded_though_others_are_lower() -> None:
    lower = [unit(f"u{n:02}", trusted="^@other/") for n in range(60)]
    to_beat, me = unit("v", deployment_count=5), unit("w", deployment_count=9)
    takes_it = busy("a", 1, 1)
    decision = decide("w", inputs([takes_it, *lower, to_beat, me], candidate(1)))
    assert decision.reason == "not_eligible"
    assert decide("w", decision.recorded) == decision


def test_the_unit_to_beat_is_recorded_though_there_is_nothing_to_claim() -> None:
    lower = [unit(f"u{n:02}", measured=Usage(0, 0)) for n in range(60)]
    decision = decide("w", inputs([*lower, busy("v", 5, 5), busy("w", 9, 9)]))
    assert decision.reason == "not_eligible"
    assert decide("w", decision.recorded) == decision


def test_what_a_package_needs_is_looked_up_once_for_all_units_that_are_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    tested: list[str] = []

    def counted(trusted: str, package: str) -> bool:
        tested.append(package)
        return trust.may_run(trusted, package)

    monkeypatch.setattr(ranking, "may_run", counted)
    fleet = [unit(f"u{n:04}") for n in range(1000)]
    candidates = [candidate(n, f"@yuants/app-{n % 64}") for n in range(128)]
    assert len(ranking.Ranking(fleet).assign(candidates)) == 128
    assert sorted(tested) == sorted({row.package for row in candidates})


def test_with_counts_the_fleet_is_woken_once_a_wave() -> None:
    def state(*counts: int) -> RoundInputs:
        units = [unit(address, deployment_count=n) for address, n in zip((A, B, C), counts, strict=True)]
        return inputs(units, candidate(1), candidate(2), candidate(3))

    assert wake_ups(A, state(0, 0, 0), state(1, 0, 0)) == []
    assert wake_ups(B, state(1, 0, 0), state(1, 1, 0)) == []
    assert wake_ups(C, state(1, 1, 0), state(1, 1, 1)) == [A, B]


def test_with_usage_the_new_lowest_is_woken() -> None:
    before = inputs([busy(A, 1, 0), busy(B, 2, 0), busy(C, 3, 0)], candidate(1), candidate(2))
    after = inputs([busy(A, 1, 0, reserved=Usage(5, 0)), busy(B, 2, 0), busy(C, 3, 0)], candidate(2))
    assert wake_ups(A, before, after) == [B]


def test_who_saw_an_old_state_wakes_whoever_went_to_sleep_since() -> None:
    before = inputs([unit(A), unit(B)], *map(candidate, range(4)))
    after = inputs([unit(A, deployment_count=1), unit(B, deployment_count=1)], candidate(2), candidate(3))
    assert wake_ups(B, before, after) == [A]


def test_who_saw_nothing_wakes_all_that_would_claim() -> None:
    seen = inputs([unit(A), unit(B), unit(C), unit("d", "none")], candidate(1), candidate(2))
    assert wake_ups(C, None, seen) == [A, B]
    assert wake_ups("gone", None, seen) == [A, B]
    assert wake_ups(A, None, seen) == [B]
    assert wake_ups(C, None, inputs([unit(A), unit(B)])) == []


def test_who_is_not_in_the_fleet_before_or_after_wakes_those_that_would_claim_only_now() -> None:
    before = inputs([unit(A), unit(B, deployment_count=1)], candidate(1))
    after = inputs([unit(A, deployment_count=2), unit(B, deployment_count=1)], candidate(1))
    assert wake_ups("gone", before, after) == [B]
    assert wake_ups(C, before, inputs([*after.units, unit(C, deployment_count=9)], candidate(1))) == [B]
    assert wake_ups(C, inputs([*before.units, unit(C, deployment_count=9)], candidate(1)), after) == [B]


def test_nobody_is_woken_who_would_have_claimed_before() -> None:
    before = inputs([unit(A), unit(B, deployment_count=1), unit(C, deployment_count=5)], candidate(1))
    after = inputs([unit(A), unit(B, deployment_count=1), unit(C, deployment_count=6)], candidate(1))
    assert wake_ups(C, before, after) == []


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


def test_the_record_of_a_round_in_full() -> None:
    units = [busy(A, 1, 0, cpu_weight=3, memory_weight=1), busy(B, 2, 0, cpu_weight=4, memory_weight=2)]
    seen = RoundInputs(tuple(units), (candidate(1), candidate(2)), 5, 6)
    assert record(B, "heartbeat", decide(B, seen)) == DeploymentClaimRound(
        wake_up="heartbeat",
        policy="resource_usage",
        cpu_weight=4,
        memory_weight=2,
        units=units,
        candidates=[candidate(1), candidate(2)],
        units_left_out=5,
        candidates_left_out=6,
        outcome="claim",
        deployment_id=UUID(int=2),
    )
    absent = record(C, "heartbeat", decide(C, seen))
    assert (absent.policy, absent.cpu_weight, absent.memory_weight) == ("", 0.5, 0.5)
    assert (absent.outcome, absent.deployment_id) == ("not_eligible", msgspec.UNSET)


def addresses(seen: RoundInputs, me: str) -> list[str]:
    return [unit.address for unit in decide(me, seen).recorded.units]


def test_with_one_unit_more_than_fifty_few_are_recorded() -> None:
    fleet = [busy(f"u{n:02}", n, 100) for n in range(51)]
    assert addresses(inputs(fleet), "u50") == [*(f"u{n:02}" for n in range(10)), "u50"]
    assert addresses(inputs(fleet[:50]), "u49") == [f"u{n:02}" for n in range(50)]


def test_the_ten_lowest_by_each_policy_are_recorded_and_by_the_own_weights() -> None:
    """u00 to u09 have the fewest rows, u20 to u29 the lowest score, u40 to u49 the least memory."""
    fleet = [
        busy(
            f"u{n:02}",
            0 if 20 <= n < 30 else 1000,
            0 if 40 <= n < 50 else 1024 if 20 <= n < 30 else 102400,
            deployment_count=0 if n < 10 else 5,
            trusted=f"^p{n}@",
        )
        for n in range(60)
    ]
    me = busy("v", 9999, 1024 * 999, cpu_weight=0, memory_weight=1, deployment_count=9, trusted="^p@")
    others = [*(f"u{n:02}" for n in range(10)), *(f"u{n:02}" for n in range(20, 30))]
    assert addresses(inputs([*fleet, busy("w", 1e6, 1e6, deployment_count=9)]), "w") == [*others, "w"]
    assert addresses(inputs([*fleet, me]), "v") == [*others, *(f"u{n:02}" for n in range(40, 50)), "v"]


def test_of_many_that_are_tied_ten_are_recorded() -> None:
    fleet = [busy(f"u{n:02}", 1, 100) for n in range(60)]
    ten = [f"u{n:02}" for n in range(10)]
    assert addresses(inputs(fleet), "u59") == [*ten, "u59"]
    assert addresses(inputs(fleet, candidate(1)), "u59") == [*ten, "u59"]
    elsewhere = [busy(f"a{n:02}", 0, 0, trusted="^@other/") for n in range(20)]
    tied = [busy(f"u{n:02}", 1, 100, deployment_count=1) for n in range(60)]
    assert addresses(inputs([*elsewhere, *tied], candidate(1)), "u59") == [
        *(f"a{n:02}" for n in range(10)), *ten, "u59"
    ]  # fmt: skip


def test_of_units_with_several_trust_patterns_the_eligible_are_sorted() -> None:
    seen = inputs([unit(C, trusted="app"), unit(A, trusted="app"), unit(B, trusted="yu")], candidate(1))
    eligibility = decide(A, seen).eligibility
    assert eligibility is not None
    assert eligibility.eligibleNodeUnits == [A, B, C]


def test_a_unit_stays_asleep_only_if_the_new_sample_of_the_waking_unit_changes_nothing() -> None:
    def state(measured: float, reserved: float) -> RoundInputs:
        me = busy(A, measured, 0, reserved=Usage(reserved, 0))
        return inputs([busy(C, 20, 0), me, busy(B, 5, 0)], candidate(1))

    # B would claim before and now, but not beside A with its new sample alone, as it may have seen it in between.
    assert wake_ups(A, state(10, 0), state(1, 9)) == [B]
    assert wake_ups(A, state(10, 0), state(10, 9)) == []


def test_units_are_woken_in_order_of_address() -> None:
    fleet = [unit(f"u{n}") for n in range(9)]
    candidates = [candidate(n) for n in range(9)]
    others = [f"u{n}" for n in range(1, 9)]
    assert wake_ups("u0", None, inputs(fleet, *candidates)) == others
    assert wake_ups("u0", inputs(fleet), inputs(fleet, *candidates)) == others
