"""The next rounds played forward: which rows are whose, and that each can be decided again."""

from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from nodeunit.domain.claim_round import RoundInputs, decide
from nodeunit.domain.forward_play import Forecast, play
from nodeunit.domain.policy import Usage
from tests.support.round_inputs import A, B, C, busy, candidate, inputs, unit

NO_FORECAST = Forecast()


def rows(me: str, seen: RoundInputs, forecast: Forecast = NO_FORECAST, most: int = 100) -> list[int]:
    """The numbers of the rows that a unit claims, in their order."""
    return [d.candidate.id.int for d in play(me, seen, forecast, most) if d.candidate]


def test_equal_units_take_turns() -> None:
    seen = inputs([unit(A), unit(B), unit(C)], *map(candidate, range(7)))
    assert [rows(me, seen) for me in (A, B, C)] == [[0, 3, 6], [1, 4], [2, 5]]


def test_who_has_less_catches_up_first() -> None:
    seen = inputs([unit(A, deployment_count=3), unit(B)], *map(candidate, range(5)))
    assert (rows(A, seen), rows(B, seen)) == ([3], [0, 1, 2, 4])


def test_a_claim_raises_the_usage_by_what_such_a_program_uses() -> None:
    seen = inputs([busy(A, 10, 0), busy(B, 13, 0)], *map(candidate, range(6)))
    typical = Forecast({"@yuants/app-portal@0.2.26": Usage(2, 0)}, {A: Usage(50, 0), B: Usage(50, 0)})
    assert (rows(A, seen, typical), rows(B, seen, typical)) == ([0, 1, 3, 5], [2, 4])
    unmeasured = Forecast({}, {A: Usage(50, 0), B: Usage(1, 0)})
    assert (rows(A, seen, unmeasured), rows(B, seen, unmeasured)) == ([0], [1, 2, 3, 4, 5])


def test_what_only_one_can_run_waits_for_it_and_holds_nobody_up() -> None:
    special = [candidate(n, package="@other/app") for n in range(30)]
    seen = inputs([unit(A, "resource_usage", trusted="other"), unit(B)], *special, *map(candidate, range(30, 33)))
    assert (rows(A, seen), rows(B, seen)) == ([], [30, 31, 32]), "A has no sample yet"


def test_no_more_is_claimed_than_is_asked_for() -> None:
    seen = inputs([unit(A)], *map(candidate, range(9)))
    assert rows(A, seen, most=4) == [0, 1, 2, 3]
    assert rows(B, seen) == [], "who is not active claims nothing"


@given(
    loads=st.lists(st.integers(0, 5), min_size=1, max_size=60),
    packages=st.lists(st.sampled_from(["@yuants/a", "@yuants/b", "@other/c"]), max_size=80),
    policies=st.lists(st.sampled_from(["deployment_count", "resource_usage"]), min_size=1, max_size=3),
    me=st.integers(0, 59),
)
def test_each_round_can_be_decided_again_from_its_record(
    loads: list[int], packages: list[str], policies: list[str], me: int
) -> None:
    units = [
        unit(
            f"u{n}", policies[n % len(policies)], deployment_count=load, measured=Usage(load, 0),
            trusted="" if n % 3 else "^@yuants/",
        )
        for n, load in enumerate(loads)
    ]  # fmt: skip
    seen = inputs(units, *(candidate(n, package) for n, package in enumerate(packages)))
    forecast = Forecast(default={one.address: Usage(1, 0) for one in units})
    for decision in play(f"u{me}", seen, forecast, 100):
        again = decide(f"u{me}", decision.recorded)
        assert again.recorded == decision.recorded
        assert (again.candidate, again.eligibility, again.attempt) == (
            decision.candidate, decision.eligibility, decision.attempt,
        )  # fmt: skip


def test_the_first_round_is_the_one_that_is_decided_now() -> None:
    seen = inputs([unit(A), unit(B)], *map(candidate, range(3)))
    (first, *_) = play(B, seen, NO_FORECAST, 100)
    assert first == decide(B, seen)
    assert first.candidate is not None
    assert first.candidate.id == UUID(int=1)


def test_later_rounds_of_a_large_fleet_are_recorded_briefly() -> None:
    seen = inputs([unit(f"u{n:04}") for n in range(1000)], *map(candidate, range(4000)))
    first, second, *_ = play("u0500", seen, NO_FORECAST, 100)
    assert [one.address for one in first.recorded.units] == [*(f"u{n:04}" for n in range(10)), "u0500"]
    assert [one.address for one in second.recorded.units] == ["u0000", "u0001", "u0002", "u0500"]
    assert [row.id.int for row in second.recorded.candidates] == [1000, 1001, 1002, 1500]
    assert (second.recorded.units_left_out, second.recorded.candidates_left_out) == (996, 2996)
