"""Reads the rounds table of a report, which is Markdown as `nodeunit report` and the original system print it.

    | round | time | claimant | deployment | node-unit-1 CPU/memory | node-unit-2 CPU/memory |
    | ----- | ---- | -------- | ---------- | ---------------------- | ---------------------- |
    | 1     | …    | …        | …          | 0.15% / 140.92MB       | 0.16% / 141.91MB       |

Columns are recognised by their headers, in English or Chinese and in any order. Other columns are ignored, and there
may be any number of units. Reports of nodeunit also have `<unit> reserved`, with cells like `+1.00% / +64.00MB`.
"""

import re
from collections.abc import Iterator
from uuid import NAMESPACE_OID, uuid5

import msgspec

from nodeunit.domain.claim_round import RoundInputs
from nodeunit.domain.policy import NOTHING, Candidate, UnitView, Usage, Weights
from nodeunit.errors import InputFileInvalid

_COLUMNS = {
    "round": "number",
    "轮次": "number",
    "time": "time",
    "时间": "time",
    "claimant": "claimant",
    "抢占方": "claimant",
    "deployment": "deployment",
}
_UNIT = re.compile(r"(?P<unit>\S.*?)\s+CPU\b.*", re.IGNORECASE)
_RESERVED = re.compile(r"(?P<unit>\S.*?)\s+reserved", re.IGNORECASE)
_CELL = re.compile(r"\+?(?P<cpu>\d+(?:\.\d+)?)\s*%\s*/\s*\+?(?P<memory>\d+(?:\.\d+)?)\s*Mi?B", re.IGNORECASE)
_NO_SAMPLE = ("", "-", "missing")


class TableRow(msgspec.Struct, frozen=True):
    """One round in which a deployment was claimed."""

    number: int
    time: str
    claimant: str
    deployment: str
    usage: dict[str, Usage | None]
    """By the unit's name in the header, in the order of the columns; `None` where the unit had no sample."""
    reserved: dict[str, Usage] = {}
    """By unit, for the units that have such a column."""


def read(markdown: str) -> list[TableRow]:
    """The rows of the first rounds table in the text, in order.

    Raises InputFileInvalid if there is no such table or it has no rows, and with the line number if a row is invalid.
    """
    lines = enumerate(markdown.splitlines(), start=1)
    for _, line in lines:
        header = _cells(line)
        columns = {_COLUMNS[name.lower()]: at for at, name in enumerate(header) if name.lower() in _COLUMNS}
        units = {match["unit"]: at for at, name in enumerate(header) if (match := _UNIT.fullmatch(name))}
        reserved = {match["unit"]: at for at, name in enumerate(header) if (match := _RESERVED.fullmatch(name))}
        if units and {"number", "claimant", "deployment"} <= columns.keys():
            rows = list(_rows(lines, len(header), columns, units, reserved))
            if rows:
                return rows
    raise InputFileInvalid(
        "there is no rounds table: rows under a header with round, claimant, deployment and, for each unit,"
        " '<unit> CPU/memory'"
    )


def inputs(rows: list[TableRow], policy: str, weights: Weights | None = None) -> list[RoundInputs]:
    """The inputs of `decide` for each round: the units by their names in the table, and one candidate.

    The `deployment_count` of a unit is the number of rows that it claimed before. The table has a row only for rounds
    that ended with a claim.
    """
    cpu_weight, memory_weight = weights or Weights()
    counts: dict[str, int] = {}
    rounds = []
    for row in rows:
        units = tuple(
            UnitView(
                address=unit,
                policy=policy,
                cpu_weight=cpu_weight,
                memory_weight=memory_weight,
                trusted="",
                deployment_count=counts.get(unit, 0),
                measured=usage,
                reserved=row.reserved.get(unit, NOTHING),
            )
            for unit, usage in row.usage.items()
        )
        candidate = Candidate(id=uuid5(NAMESPACE_OID, row.deployment), version=0)
        rounds.append(RoundInputs(units, (candidate,)))
        counts[row.claimant] = counts.get(row.claimant, 0) + 1
    return rounds


def _cells(line: str) -> list[str]:
    """The cells of a table row; none for a line that is not a table row."""
    line = line.strip()
    if not line.startswith("|"):
        return []
    return [cell.strip() for cell in line.removeprefix("|").removesuffix("|").split("|")]


def _rows(
    lines: Iterator[tuple[int, str]],
    width: int,
    columns: dict[str, int],
    units: dict[str, int],
    reserved: dict[str, int],
) -> Iterator[TableRow]:
    for number, line in lines:
        cells = _cells(line)
        if not cells:
            return
        if all(re.fullmatch(r":?-+:?", cell) for cell in cells):
            continue
        if len(cells) != width:
            raise InputFileInvalid(f"line {number}: {len(cells)} cells under a header of {width}")
        if not re.fullmatch(r"\d+", cells[columns["number"]]):
            raise InputFileInvalid(f"line {number}: the round is {cells[columns['number']]!r}, which is not a number")
        yield TableRow(
            int(cells[columns["number"]]),
            cells[columns["time"]] if "time" in columns else "",
            cells[columns["claimant"]],
            cells[columns["deployment"]],
            {unit: _usage(number, cells[at]) for unit, at in units.items()},
            {unit: _usage(number, cells[at]) or NOTHING for unit, at in reserved.items()},
        )


def _usage(number: int, cell: str) -> Usage | None:
    if cell.lower() in _NO_SAMPLE:
        return None
    match = _CELL.fullmatch(cell)
    if not match:
        raise InputFileInvalid(f"line {number}: usage is {cell!r}, which is not like '0.15% / 140.92MB'")
    return Usage(float(match["cpu"]), float(match["memory"]))
