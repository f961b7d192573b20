"""How benchmark figures are summed up and told."""

import pytest

from tools.bench.figure import Figure, exponent, ratio_to_floor
from tools.bench.machine import Machine
from tools.bench.rounds import Measured, in_turn
from tools.bench.table import Run, SuiteResult, markdown

FLOOR = Figure("floor", "ms", [1.0, 3.0, 2.0])
CLAIM = Figure("claim", "ms", [8.0, 4.0, 100.0], "floor")


def test_medians_and_ranges() -> None:
    assert (CLAIM.median, CLAIM.lowest, CLAIM.highest, CLAIM.p99) == (8.0, 4.0, 100.0, 100.0)
    assert Figure("many", "ms", [float(n) for n in range(1, 201)]).p99 == 198.0


def test_a_ratio_is_to_the_floor_of_the_same_run() -> None:
    assert ratio_to_floor(CLAIM, [FLOOR, CLAIM]) == 4.0
    assert ratio_to_floor(FLOOR, [FLOOR, CLAIM]) is None
    assert ratio_to_floor(CLAIM, [CLAIM]) is None


def test_exponents() -> None:
    assert exponent([10, 100, 1000], [5, 5, 5]) == pytest.approx(0)
    assert exponent([10, 100, 1000], [1, 10, 100]) == pytest.approx(1)
    assert exponent([10, 100, 1000], [1, 100, 10_000]) == pytest.approx(2)


async def test_subjects_alternate_and_each_round_counts() -> None:
    order: list[str] = []

    def subject(name: str) -> Measured:
        order.append(name)
        return {name: len(order)}

    async def one() -> Measured:
        return subject("one")

    async def other() -> Measured:
        return subject("other")

    told = [Figure("other", "", []), Figure("absent", "", []), Figure("one", "", [])]
    found = await in_turn(2, {"one": one, "other": other}, told, lambda _: None)
    assert order == ["one", "other", "one", "other"]
    assert [(figure.name, figure.values) for figure in found] == [("other", [2, 4]), ("one", [1, 3])]


def test_the_table_states_machine_load_and_ratio() -> None:
    machine = Machine("A processor", 2, 24.0, "6.1", "3.11", "17.2", "2.19", "on", "0.2")
    suite = SuiteResult("latency", 12.0, [0.5, 0.4, 0.3], [FLOOR, CLAIM])
    text = markdown(Run("2026-01-01", "short", 3, machine, [0.1, 0.2, 0.3], [suite]))
    assert "A processor, 2 cores" in text
    assert "Load before: 0.10 0.20 0.30" in text
    assert "| claim | 8 ms | 4 to 100 | 100 | 3 | 4.00 x floor |" in text
