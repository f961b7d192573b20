"""The rounds table of the report is read, and the policy gives its claimants: 21 of 21, 12 to 9."""

from collections import Counter
from pathlib import Path
from uuid import NAMESPACE_OID, uuid5

import pytest

from nodeunit.domain.claim_round import RoundInputs, decide
from nodeunit.domain.policy import Candidate, UnitView, Usage, Weights
from nodeunit.domain.rounds_table import TableRow, inputs, read
from nodeunit.errors import InputFileInvalid

REPORT = (Path(__file__).parent / "vectors" / "rounds.md").read_text()


def _claimants(rows: list[TableRow], policy: str, weights: Weights | None = None) -> list[list[str]]:
    """Who claims in each round: exactly one unit, were they alike to two eyes."""
    return [
        [unit.address for unit in seen.units if decide(unit.address, seen).outcome == "claim"]
        for seen in inputs(rows, policy, weights)
    ]


def test_every_claimant_of_the_report() -> None:
    rows = read(REPORT)
    assert [row.number for row in rows] == list(range(1, 22))
    assert _claimants(rows, "resource_usage") == [[row.claimant] for row in rows]
    assert Counter(row.claimant for row in rows) == {"node-unit-1": 12, "node-unit-2": 9}


def test_another_policy_is_found_out() -> None:
    rows = read(REPORT)
    assert _claimants(rows, "deployment_count") != [[row.claimant] for row in rows]
    assert _claimants(rows, "resource_usage", Weights(1, 0)) != [[row.claimant] for row in rows]
    assert _claimants(rows, "none") == [[]] * 21


def test_a_row() -> None:
    assert read(REPORT)[0] == TableRow(
        1,
        "15:52:50",
        "node-unit-1",
        "044142ec",
        {"node-unit-1": Usage(0.15, 140.92), "node-unit-2": Usage(0.16, 141.91)},
    )


def test_the_headers_of_the_original_report() -> None:
    chinese = (
        REPORT.replace("| round", "| 轮次")
        .replace("| time ", "| 时间 ")
        .replace("| claimant ", "| 抢占方 ")
        .replace("CPU/memory", "CPU/内存")
    )
    assert "内存" in chinese
    assert read(f"# 报告\n\n| address | count |\n| --- | --- |\n| a | 1 |\n\n{chinese}\n\n| after | it |\n") == read(
        REPORT
    )


def test_any_number_of_units_in_any_order_and_spacing() -> None:
    table = """
    text | with a bar

    |deployment|my unit CPU % / MB|note|claimant|b CPU/memory|c CPU|ROUND|
    |:-|-:|:-:|-|-|-|-|
    |d1|1 % / 2 MB|x|b|10.5%/0.25MiB|missing|7|
    |d2|-|x|b|0%/0MB||8|
    """
    assert read(table) == [
        TableRow(7, "", "b", "d1", {"my unit": Usage(1, 2), "b": Usage(10.5, 0.25), "c": None}),
        TableRow(8, "", "b", "d2", {"my unit": None, "b": Usage(0, 0), "c": None}),
    ]


def test_the_count_of_a_unit_is_what_it_claimed_before() -> None:
    rounds = inputs(read(REPORT), "deployment_count")
    assert {unit.address: unit.deployment_count for unit in rounds[-1].units} == {"node-unit-1": 12, "node-unit-2": 8}
    assert [unit.deployment_count for unit in rounds[0].units] == [0, 0]


def test_the_inputs_of_a_row_in_full() -> None:
    row = TableRow(1, "", "a", "d1", {"a": Usage(1, 2), "b": None}, {"a": Usage(3, 4)})
    assert inputs([row], "resource_usage", Weights(0.25, 0.75)) == [
        RoundInputs(
            (
                UnitView(
                    address="a", policy="resource_usage", cpu_weight=0.25, memory_weight=0.75, trusted="",
                    measured=Usage(1, 2), reserved=Usage(3, 4),
                ),
                UnitView(address="b", policy="resource_usage", cpu_weight=0.25, memory_weight=0.75, trusted=""),
            ),
            (Candidate(id=uuid5(NAMESPACE_OID, "d1"), version=0),),
        )
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no rounds table"),
        ("| round | claimant | deployment |\n| - | - | - |\n| 1 | a | d |", "no rounds table"),
        ("| round | a CPU |\n| - | - |\n| 1 | 1% / 1MB |", "no rounds table"),
        (
            REPORT.splitlines()[0],
            (
                "^there is no rounds table: rows under a header with round, claimant, deployment and, for each unit,"
                " '<unit> CPU/memory'$"
            ),
        ),
        (REPORT + "| 22 | 15:54:35 | a | d | 0.1% / 1MB |\n", "^line 24: 5 cells under a header of 6$"),
        (
            REPORT.replace("0.60%", "0.60"),
            "^line 23: usage is '0.60 / 103.67MB', which is not like '0.15% / 140.92MB'$",
        ),
        (REPORT.replace("| 21 ", "| last "), "^line 23: the round is 'last', which is not a number$"),
    ],
)
def test_what_is_no_rounds_table_is_refused_with_the_line(text: str, message: str) -> None:
    with pytest.raises(InputFileInvalid, match=message):
        read(text)


def test_what_a_report_of_ours_shows_as_reserved_decides_as_well() -> None:
    (row,) = read(
        "| round | claimant | deployment | a CPU/memory | b CPU/memory | a reserved | b reserved |\n"
        "| ----- | -------- | ---------- | ------------ | ------------ | ---------- | ---------- |\n"
        "| 1 | b | 01234567 | 0.10% / 64.00MB | 0.20% / 64.00MB | +1.00% / +64.00MB |  |\n"
    )

    (seen,) = inputs([row], "resource_usage")

    assert row.reserved == {"a": Usage(1.0, 64.0), "b": Usage(0.0, 0.0)}
    assert decide("b", seen).outcome == "claim"
    assert decide("a", seen).outcome == "skip"
