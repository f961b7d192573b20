"""Whom a unit wakes after it has looked."""

from nodeunit.domain.claim_round import RoundInputs, wake_ups
from nodeunit.domain.policy import Usage
from tests.support.round_inputs import A, B, C, busy, candidate, inputs, unit


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
