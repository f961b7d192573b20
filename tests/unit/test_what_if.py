"""Other policies for recorded rounds, and who would hold what under them."""

from collections import Counter
from uuid import UUID

import pytest

from nodeunit.domain.claim_round import RoundInputs
from nodeunit.domain.policy import Candidate, UnitView, Usage
from nodeunit.domain.what_if import Distribution, PolicyOverride, imbalance

ONE, TWO = UUID(int=1), UUID(int=2)


def unit(address: str, count: int = 0, policy: str = "deployment_count", **fields: object) -> UnitView:
    return UnitView(address=address, policy=policy, trusted="", deployment_count=count, **fields)  # type: ignore[arg-type]


def candidate(number: int) -> Candidate:
    return Candidate(id=UUID(int=number), version=0)


def inputs(units: list[UnitView], *numbers: int) -> RoundInputs:
    return RoundInputs(tuple(units), tuple(map(candidate, numbers)), 3, 4)


def test_every_unit_but_those_that_claim_nothing_decides_the_other_way() -> None:
    seen = inputs([unit("a", cpu_weight=0.1, memory_weight=0.2), unit("b", policy="none")], 1)
    other = PolicyOverride("resource_usage", 0.3, 0.7).apply(seen)
    assert other.units == (
        unit("a", policy="resource_usage", cpu_weight=0.3, memory_weight=0.7),
        unit("b", policy="none"),
    )
    assert (other.candidates, other.units_left_out, other.candidates_left_out) == (seen.candidates, 3, 4)


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        (PolicyOverride(policy="resource_usage"), ("resource_usage", 0.1, 0.2)),
        (PolicyOverride(cpu_weight=0.0), ("deployment_count", 0.0, 0.2)),
        (PolicyOverride(memory_weight=0.0), ("deployment_count", 0.1, 0.0)),
    ],
)
def test_what_is_not_given_stays_as_recorded(override: PolicyOverride, expected: tuple[str, float, float]) -> None:
    (view,) = override.apply(inputs([unit("a", cpu_weight=0.1, memory_weight=0.2)])).units
    assert (view.policy, view.cpu_weight, view.memory_weight) == expected
    assert not override.is_as_recorded


def test_nothing_given_changes_nothing() -> None:
    seen = inputs([unit("a")])
    assert PolicyOverride().is_as_recorded
    assert PolicyOverride().apply(seen) is seen
    assert not PolicyOverride().changes(seen)
    assert not PolicyOverride("deployment_count").changes(seen)
    assert not PolicyOverride("resource_usage").changes(inputs([unit("a", policy="none")]))
    assert PolicyOverride("resource_usage").changes(seen)


def test_who_got_what_and_who_would_have() -> None:
    distribution = Distribution()
    distribution.claim(ONE, "a", "b")
    distribution.claim(TWO, "a", "a")
    assert (distribution.claims, distribution.simulated_claims) == ({"a": 2}, {"a": 1, "b": 1})
    assert (distribution.held(), distribution.simulated_held()) == ({"a": 2}, {"a": 1, "b": 1})
    distribution.claim(ONE, "c", "a")  # again, so it was released in between
    assert (distribution.claims, distribution.simulated_claims) == ({"a": 2, "c": 1}, {"a": 2, "b": 1})
    assert (distribution.held(), distribution.simulated_held()) == ({"a": 1, "c": 1}, {"a": 2})
    distribution.release(TWO)
    distribution.release(TWO)
    assert (distribution.held(), distribution.simulated_held()) == ({"c": 1}, {"a": 1})
    assert isinstance(distribution.held(), Counter)
    assert distribution.units == set()


def test_the_claimant_is_the_lowest_by_the_rows_it_would_have() -> None:
    distribution = Distribution()
    seen = inputs([unit("a", 0), unit("b", 1)], 9)
    assert distribution.claimant_of(candidate(9), seen) == "a"
    distribution.claim(ONE, "b", "a")  # a would have had one, and b none
    assert distribution.claimant_of(candidate(9), seen) == "b"
    distribution.claim(TWO, "a", "b")
    assert distribution.claimant_of(candidate(9), inputs([unit("a", 1), unit("b", 1)], 9)) == "a"
    distribution.release(ONE)
    assert distribution.claimant_of(candidate(9), inputs([unit("a", 1), unit("b", 0)], 9)) == "a"


def test_several_rows_go_to_several_units() -> None:
    distribution = Distribution()
    seen = inputs([unit("a"), unit("b")], 8, 9)
    assert distribution.claimant_of(candidate(8), seen) == "a"
    assert distribution.claimant_of(candidate(9), seen) == "b"


def test_a_row_that_nobody_takes_in_this_round_goes_to_the_lowest() -> None:
    seen = inputs([unit("a"), unit("b", 5)], 8, 9)
    assert Distribution().claimant_of(candidate(9), seen) == "a"
    assert Distribution().claimant_of(candidate(9), inputs([unit("a", policy="none")], 9)) is None


def test_a_count_does_not_fall_below_nothing() -> None:
    distribution = Distribution()
    for number in range(3):
        distribution.claim(UUID(int=number), "a", "b")
    # a recorded 1 and would have 3 fewer, which is 0, as low as c.
    assert distribution.claimant_of(candidate(9), inputs([unit("a", 1), unit("c", 0)], 9)) == "a"
    assert distribution.claimant_of(candidate(9), inputs([unit("d", 0), unit("c", 0)], 9)) == "c"


def loaded(
    address: str, count: int, cpu: float | None, memory: float = 0, weights: tuple[float, float] = (1, 0)
) -> UnitView:
    measured = None if cpu is None else Usage(cpu, memory)
    cpu_weight, memory_weight = weights
    return unit(address, count, "resource_usage", measured=measured, cpu_weight=cpu_weight, memory_weight=memory_weight)


@pytest.mark.parametrize(("to_beat", "claimant"), [(29.0, "b"), (31.0, "a")])
def test_usage_moves_with_the_rows_by_the_average_of_a_row(to_beat: float, claimant: str) -> None:
    """a used 20 with two rows and would have three, so it would use 30."""
    distribution = Distribution()
    distribution.claim(ONE, "c", "a")
    by_cpu = inputs([loaded("a", 2, 20.0), loaded("b", 1, to_beat)], 9)
    assert distribution.claimant_of(candidate(9), by_cpu) == claimant
    memory = (0, 1)
    by_memory = inputs([loaded("a", 2, 0, 20.0, memory), loaded("b", 1, 0, to_beat, memory)], 9)
    assert distribution.claimant_of(candidate(9), by_memory) == claimant


def test_usage_without_rows_or_unknown_stays_what_it_is() -> None:
    distribution = Distribution()
    distribution.claim(ONE, "c", "a")
    assert distribution.claimant_of(candidate(9), inputs([loaded("a", 0, 20.0), loaded("b", 0, 21.0)], 9)) == "a"
    assert distribution.claimant_of(candidate(9), inputs([loaded("a", 0, 20.0), loaded("b", 0, 19.0)], 9)) == "b"
    assert distribution.claimant_of(candidate(9), inputs([loaded("a", 2, None), loaded("b", 0, 99.0)], 9)) == "b"
    assert distribution.claimant_of(candidate(9), inputs([loaded("a", 2, None)], 9)) is None


@pytest.mark.parametrize(
    ("loads", "expected"), [([1, 1], 1.0), ([3, 1], 1.5), ([2, 0], 2.0), ([12, 9], 24 / 21), ([0, 0], None), ([], None)]
)
def test_imbalance_is_the_maximum_over_the_mean(loads: list[int], expected: float | None) -> None:
    assert imbalance(loads) == expected
    assert imbalance(iter(loads)) == expected


def leads(distribution: Distribution, count: int, against: int) -> tuple[str | None, str | None]:
    """Who claims a row: b, or a and z, which come before and after it when they are tied with it."""
    return (
        distribution.claimant_of(candidate(9), inputs([unit("a", against), unit("b", count)], 9)),
        distribution.claimant_of(candidate(9), inputs([unit("z", against), unit("b", count)], 9)),
    )


TIED = ("a", "b")


def test_each_claim_moves_one_row() -> None:
    distribution = Distribution()
    distribution.claim(ONE, "b", "c")
    assert leads(distribution, 5, against=4) == TIED
    distribution.claim(TWO, "c", "b")
    assert leads(distribution, 5, against=5) == TIED
    distribution.release(ONE)
    assert leads(distribution, 5, against=6) == TIED
    distribution.release(TWO)
    assert leads(distribution, 5, against=5) == TIED


def test_a_row_that_is_claimed_again_was_released_before() -> None:
    distribution = Distribution()
    distribution.claim(ONE, "b", "c")
    distribution.claim(ONE, "d", "e")
    assert leads(distribution, 5, against=5) == TIED
