"""A measured number: the values of all rounds, and what it is compared with."""

import math
import statistics
from collections.abc import Sequence

import msgspec


class Figure(msgspec.Struct, frozen=True):
    """One line of the table."""

    name: str
    unit: str
    values: list[float]
    """One or more of each round."""
    floor: str = ""
    """The name of a figure of the same run that this one cannot beat, or is compared with; empty: none."""
    is_peer: bool = False
    """Whether it is the figure of another library."""

    @property
    def median(self) -> float:
        return statistics.median(self.values)

    @property
    def lowest(self) -> float:
        return min(self.values)

    @property
    def highest(self) -> float:
        return max(self.values)

    @property
    def p99(self) -> float:
        """Of fewer than a hundred values the largest."""
        ordered = sorted(self.values)
        return ordered[min(math.ceil(0.99 * len(ordered)), len(ordered)) - 1]


def ratio_to_floor(figure: Figure, figures: Sequence[Figure]) -> float | None:
    """How many times its floor the median is; None without a floor in this run."""
    floor = next((one for one in figures if one.name == figure.floor), None)
    return figure.median / floor.median if floor is not None and floor.median else None


def exponent(sizes: Sequence[float], costs: Sequence[float]) -> float:
    """The slope of the costs over the sizes, both as logarithms: 0 is constant, 1 is linear."""
    return statistics.linear_regression([math.log(s) for s in sizes], [math.log(c) for c in costs]).slope
