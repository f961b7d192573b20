"""How long two real units take to claim the 21 rows of the report, and until each program is recorded as started.

The floor is to commit 21 rows one after the other, halved because two units do it.
"""

from collections.abc import Awaitable, Callable

from tools.bench import floors
from tools.bench.figure import Figure
from tools.bench.rounds import Measured, in_turn
from tools.bench.suite import Bench
from tools.bench.units import real_fleet

ROWS = 21
FLOOR = "21 reads and commits, by two"
POLICIES = ("deployment_count", "resource_usage")

FIGURES = (
    Figure(FLOOR, "ms", []),
    *(
        Figure(f"{ROWS} rows {what}, {policy}", "ms", [], FLOOR)
        for policy in POLICIES
        for what in ("claimed", "started")
    ),
)


async def measure(bench: Bench) -> list[Figure]:
    """All subjects in turn."""

    async def floor() -> Measured:
        with bench.place.fresh() as database:
            found = await floors.of_a_claim(database)
        return {FLOOR: found["notify"] + (found["read"] + found["commit"]) * ROWS / 2}

    def burst(policy: str) -> Callable[[], Awaitable[Measured]]:
        async def converge() -> Measured:
            with bench.place.fresh() as database:
                async with real_fleet(database, 2, policy) as fleet:
                    found, started_ms = await fleet.burst(ROWS)
            return {
                f"{ROWS} rows claimed, {policy}": found.inserts[0].last_ms,
                f"{ROWS} rows started, {policy}": started_ms,
            }

        return converge

    subjects = {"floor": floor, **{policy: burst(policy) for policy in POLICIES}}
    return await in_turn(bench.rounds, subjects, FIGURES, bench.say)
