"""What every suite gets, and the list of suites."""

from collections.abc import Callable, Coroutine
from typing import Any, NamedTuple

from tools.bench.database import Place
from tools.bench.figure import Figure


class Bench(NamedTuple):
    """One run."""

    place: Place
    short: bool
    rounds: int
    say: Callable[[str], None]
    """Takes a line of progress."""


Suite = Callable[[Bench], Coroutine[Any, Any, list[Figure]]]
