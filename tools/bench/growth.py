"""How costs grow: a single row's claim with the units, a burst with its rows and with the units. Simulated units.

An exponent of 0 is a cost that does not grow, 1 grows in proportion. A burst's duration has 1 with its rows where the
claims a second stay the same.
"""

import statistics
from collections.abc import Awaitable, Callable

from tools.bench.figure import Figure, exponent
from tools.bench.rounds import Measured, in_turn
from tools.bench.suite import Bench
from tools.fleet import run as simulator
from tools.fleet import scenario as scenarios
from tools.fleet.scenario import Size

SHORT_UNITS, LONG_UNITS = (2, 8, 32), (2, 10, 50, 200)
SHORT_ROWS, LONG_ROWS = (50, 200, 800), (100, 1000, 10_000)
ROWS, UNITS = 200, 8


async def measure(bench: Bench) -> list[Figure]:
    """Each size in turn, and the exponents over their medians."""
    units, rows = (SHORT_UNITS, SHORT_ROWS) if bench.short else (LONG_UNITS, LONG_ROWS)
    single = {f"first claim of a single row, {n} units": n for n in units}
    by_units = {f"burst of {ROWS} rows, {n} units": n for n in units}
    by_rows = {f"burst of {n} rows, {UNITS} units": n for n in rows}

    def simulate(name: str, size: Size, scenario: str) -> Callable[[], Awaitable[Measured]]:
        async def work() -> Measured:
            with bench.place.fresh() as database:
                found = (await simulator.run(database, scenarios.read(scenario), size)).figures
            firsts = [insert.first_ms for insert in found.inserts]
            return {name: firsts if scenario == "singles" else found.inserts[0].last_ms}

        return work

    subjects = {
        **{name: simulate(name, Size(n, 0), "singles") for name, n in single.items()},
        **{name: simulate(name, Size(n, ROWS), "burst") for name, n in by_units.items()},
        **{name: simulate(name, Size(UNITS, n), "burst") for name, n in by_rows.items()},
    }
    told = [
        Figure(name, "ms", [], next(iter(sizes)) if name != next(iter(sizes)) else "")
        for sizes in (single, by_units, by_rows)
        for name in sizes
    ]
    found = await in_turn(bench.rounds, subjects, told, bench.say)
    median = {figure.name: statistics.median(figure.values) for figure in found}
    for what, sizes in (
        ("first claim, by units", single), (f"burst of {ROWS}, by units", by_units), ("burst, by rows", by_rows),
    ):  # fmt: skip
        found.append(Figure(f"exponent: {what}", "", [exponent(list(sizes.values()), [median[n] for n in sizes])]))
    return found
