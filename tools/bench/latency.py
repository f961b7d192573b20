"""From the commit of a single row's INSERT to the commit of its first claim, in fleets of real, idle units.

The floor is what no claim can do without, through the same kind of connections: to read once, to commit once, and to be
notified once. The peers' times are those of their commits too, from a job to its being picked up.
"""

import asyncio
from collections.abc import Awaitable, Callable

from tools.bench import floors
from tools.bench.figure import Figure
from tools.bench.peers import environments
from tools.bench.rounds import Measured, in_turn
from tools.bench.suite import Bench
from tools.bench.units import real_fleet

FLOOR = "SELECT 1 + commit + NOTIFY"

FIGURES = (
    Figure("commit of one row", "ms", []),
    Figure(FLOOR, "ms", []),
    Figure("first claim, 2 units", "ms", [], FLOOR),
    Figure("first claim, 10 units", "ms", [], "first claim, 2 units"),
    Figure("procrastinate, pick-up", "ms", [], FLOOR, is_peer=True),
    Figure("pgqueuer, pick-up", "ms", [], FLOOR, is_peer=True),
)


async def measure(bench: Bench) -> list[Figure]:
    """All subjects in turn."""
    inserts = 10 if bench.short else 40

    async def floor() -> Measured:
        with bench.place.fresh() as database:
            found = await floors.of_a_claim(database)
        return {"commit of one row": found["commit"], FLOOR: sum(found.values())}

    def units(number: int) -> Callable[[], Awaitable[Measured]]:
        async def claims() -> Measured:
            with bench.place.fresh() as database:
                async with real_fleet(database, number) as fleet:
                    found = await fleet.single(inserts)
            return {f"first claim, {number} units": [insert.first_ms for insert in found.inserts]}

        return claims

    def peer(name: str) -> Callable[[], Awaitable[Measured]]:
        async def pickup() -> Measured:
            with bench.place.fresh() as database:
                found = await asyncio.to_thread(environments.run, name, "pickup", database, inserts)
            return {f"{name}, pick-up": found["pickup_ms"]}

        return pickup

    subjects = {
        "floor": floor, "2 units": units(2), "procrastinate": peer("procrastinate"), "10 units": units(10),
        "pgqueuer": peer("pgqueuer"),
    }  # fmt: skip
    return await in_turn(bench.rounds, subjects, FIGURES, bench.say)
