"""A whole run as JSON and as Markdown."""

from collections.abc import Sequence

import msgspec

from tools.bench.figure import Figure, ratio_to_floor
from tools.bench.machine import Machine


class SuiteResult(msgspec.Struct, frozen=True):
    """The figures of one suite."""

    name: str
    seconds: float
    load: list[float]
    """Of the machine when it ended."""
    figures: list[Figure]


class Run(msgspec.Struct, frozen=True):
    """Everything."""

    at: str
    form: str
    rounds: int
    machine: Machine
    load: list[float]
    """Of the machine before it began."""
    suites: list[SuiteResult]


def markdown(run: Run) -> str:
    """A heading and a table for each suite."""
    machine = run.machine
    described = (
        f"{run.at}, {run.form} form, {run.rounds} rounds. {machine.processor}, {machine.cores} cores, "
        f"{machine.memory_gb:g} GB, Linux {machine.kernel}, Python {machine.python}, PostgreSQL {machine.postgresql}, "
        f"TimescaleDB {machine.timescaledb}, fsync {machine.fsync}, nodeunit {machine.nodeunit}. Load before: "
        f"{_load(run.load)}."
    )
    lines = [described]
    for suite in run.suites:
        lines += ["", f"### {suite.name}", "", f"{suite.seconds:.0f} s, load at its end {_load(suite.load)}.", ""]
        lines += ["| what | median | lowest to highest | p99 | values | is so many times |", "| --- " * 6 + "|"]
        lines += [_line(figure, suite.figures) for figure in suite.figures]
    return "\n".join(lines) + "\n"


def _line(figure: Figure, figures: Sequence[Figure]) -> str:
    ratio = ratio_to_floor(figure, figures)
    compared = "" if ratio is None else f"{ratio:.2f} x {figure.floor}"
    name = f"_{figure.name}_" if figure.is_peer else figure.name
    unit = f" {figure.unit}" if figure.unit else ""
    return (
        f"| {name} | {_number(figure.median)}{unit} | {_number(figure.lowest)} to {_number(figure.highest)} "
        f"| {_number(figure.p99)} | {len(figure.values)} | {compared} |"
    )


def _number(value: float) -> str:
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def _load(load: Sequence[float]) -> str:
    return " ".join(f"{one:.2f}" for one in load)
