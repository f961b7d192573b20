"""Verdicts on units as a table: each verdict, its value and the value to beat."""

from nodeunit.cli.output.render import Column, table
from nodeunit.domain.verdict import Verdict


def show_verdicts(verdicts: list[Verdict], *, wide: bool = False) -> None:
    """Prints one line per unit."""
    table(
        [
            Column("unit", lambda one: one.name or one.address[:8]),
            Column("address", lambda one: one.address, wide=True),
            Column("policy", lambda one: one.policy),
            Column("value", lambda one: _number(one.value), right=True),
            Column("to beat", lambda one: _number(one.to_beat), right=True),
            Column("verdict", lambda one: one.verdict.replace("_", " ")),
            Column("because", lambda one: one.because),
        ],
        verdicts,
        wide=wide,
    )


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.4f}".rstrip("0").rstrip(".")
