"""Claims a second, beside what the server can insert and what others can pick up.

The units of `simulated` are those of tools/fleet: eight of them, real but for their programs. The others' jobs do
nothing, and all are there before their one worker begins; the programs of real units are started.
"""

import asyncio
from collections.abc import Awaitable, Callable

from tools.bench import floors
from tools.bench.figure import Figure
from tools.bench.peers import environments
from tools.bench.rounds import Measured, in_turn
from tools.bench.suite import Bench
from tools.bench.units import real_fleet
from tools.fleet import run as simulator
from tools.fleet import scenario as scenarios
from tools.fleet.scenario import Size

INSERTS = "bare INSERTs, 8 clients"
REAL = "10 real units, programs started"
SIMULATED = "8 simulated units"
EVENTS = "events a claim, 8 units"
WAKE_UPS = "notifications a claim, 8 units"
CONFLICTS = "conflicts, 8 units"

FIGURES = (
    Figure("bare INSERTs, 1 client", "a second", []),
    Figure(INSERTS, "a second", []),
    Figure(SIMULATED, "claims a second", [], INSERTS),
    Figure(REAL, "claims a second", [], INSERTS),
    Figure("procrastinate", "jobs a second", [], INSERTS, is_peer=True),
    Figure("pgqueuer", "jobs a second", [], INSERTS, is_peer=True),
    Figure("pgqueuer, batches of 100", "jobs a second", [], INSERTS, is_peer=True),
    Figure(EVENTS, "events", []),
    Figure(WAKE_UPS, "notifications", []),
    Figure(CONFLICTS, "conflicts", []),
)


async def measure(bench: Bench) -> list[Figure]:
    """All subjects in turn."""
    rows, jobs = (600, 2000) if bench.short else (600, 5000)

    async def inserts() -> Measured:
        with bench.place.fresh() as database:
            one = await floors.inserts_a_second(bench.place, database, 1)
            return {FIGURES[0].name: one, INSERTS: await floors.inserts_a_second(bench.place, database, 8)}

    async def simulated() -> Measured:
        with bench.place.fresh() as database:
            found = (await simulator.run(database, scenarios.read("burst"), Size(8, rows))).figures
        return {
            SIMULATED: found.inserts[0].claims_a_second, EVENTS: found.a_claim(found.claim_events),
            WAKE_UPS: found.a_claim(found.wake_ups), CONFLICTS: float(found.conflicts),
        }  # fmt: skip

    async def real() -> Measured:
        with bench.place.fresh() as database:
            async with real_fleet(database, 10) as fleet:
                found, _ = await fleet.burst(rows)
        return {REAL: found.inserts[0].claims_a_second}

    def peer(name: str, figure: str, *numbers: int) -> Callable[[], Awaitable[Measured]]:
        async def work() -> Measured:
            with bench.place.fresh() as database:
                found = await asyncio.to_thread(environments.run, name, "throughput", database, *numbers)
            return {figure: found["jobs_a_second"]}

        return work

    subjects = {
        "inserts": inserts, "simulated units": simulated,
        "procrastinate": peer("procrastinate", "procrastinate", jobs // 2), "real units": real,
        "pgqueuer": peer("pgqueuer", "pgqueuer", jobs, 10),
        "pgqueuer, batched": peer("pgqueuer", "pgqueuer, batches of 100", jobs, 100),
    }  # fmt: skip
    return await in_turn(bench.rounds, subjects, FIGURES, bench.say)
