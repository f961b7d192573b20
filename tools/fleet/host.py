"""A process with many units, whose plan is in a file: `python -m tools.fleet.host PLAN`.

It gets a line of JSON for each command, and answers each with one:

    {"op": "leave", "units": [1, 2]}      answered by {"left": [1, 2]} when they have left
    {"op": "join", "units": [1, 2]}       answered by {"joined": [1, 2]}
"""

import asyncio
import logging
import sys
from contextlib import AsyncExitStack
from pathlib import Path

import msgspec

from nodeunit.store.postgres import connections
from nodeunit.store.postgres.connections import Pool
from tools.fleet.unit import Plan, SimulatedUnit

JOINS_AT_ONCE = 20

SHARED_POOL = 4
"""The connections of a pool that several units share."""


class HostPlan(msgspec.Struct, frozen=True):
    """The units of one process."""

    conninfo: str
    units: list[Plan]
    units_a_pool: int
    log_level: str = "ERROR"


class Command(msgspec.Struct, frozen=True):
    """One line from the outside."""

    op: str
    units: list[int] = []


class Host:
    """The units, by number."""

    def __init__(self, plan: HostPlan) -> None:
        self._plan = plan
        self._plans = {unit.number: unit for unit in plan.units}
        self._pools: dict[int, Pool] = {}
        self._units: dict[int, tuple[SimulatedUnit, asyncio.Task[None]]] = {}
        self._joining = asyncio.Semaphore(JOINS_AT_ONCE)

    async def run(self) -> None:
        """Until standard input ends."""
        reader = asyncio.StreamReader()
        await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
        async with AsyncExitStack() as stack:
            await self._open_pools(stack)
            while line := await reader.readline():
                command = msgspec.json.decode(line, type=Command)
                await (self._join(command.units) if command.op == "join" else self._leave(command.units))
            for _, task in self._units.values():
                task.cancel()
            await asyncio.gather(*(task for _, task in self._units.values()), return_exceptions=True)

    async def _open_pools(self, stack: AsyncExitStack) -> None:
        together = self._plan.units_a_pool
        for place, unit in enumerate(self._plan.units):
            if place % together == 0:
                size = {} if together == 1 else {"max_size": SHARED_POOL}
                pool = connections.pool(self._plan.conninfo, f"simulated {unit.number}", **size)
                await stack.enter_async_context(pool)
            self._pools[unit.number] = pool

    async def _join(self, numbers: list[int]) -> None:
        await asyncio.gather(*map(self._start, numbers))
        _say({"joined": numbers})

    async def _start(self, number: int) -> None:
        async with self._joining:
            unit = SimulatedUnit(self._plans[number], self._plan.conninfo, self._pools[number])
            task = asyncio.create_task(unit.run())
            self._units[number] = unit, task
            joined = asyncio.create_task(unit.joined.wait())
            await asyncio.wait((joined, task), return_when=asyncio.FIRST_COMPLETED)
            joined.cancel()
            if task.done():
                task.result()

    async def _leave(self, numbers: list[int]) -> None:
        for number in numbers:
            self._units[number][0].leave()
        await asyncio.gather(*(self._units.pop(number)[1] for number in numbers))
        _say({"left": numbers})


def _say(answer: dict[str, list[int]]) -> None:
    sys.stdout.buffer.write(msgspec.json.encode(answer) + b"\n")
    sys.stdout.buffer.flush()


def main() -> None:
    """Reads the plan and runs the units."""
    plan = msgspec.json.decode(Path(sys.argv[1]).read_bytes(), type=HostPlan)
    logging.basicConfig(level=plan.log_level, format="%(asctime)s %(name)s %(message)s", stream=sys.stderr)
    logging.getLogger("psycopg").setLevel(plan.log_level)  # which has a level of its own
    asyncio.run(Host(plan).run())


if __name__ == "__main__":
    main()
