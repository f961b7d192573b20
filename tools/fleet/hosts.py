"""The processes of a fleet, from the outside: they are started, told what to do, frozen and killed."""

import asyncio
import signal
import sys
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec

from tools.fleet.host import Command, HostPlan
from tools.fleet.scenario import Scenario
from tools.fleet.unit import Plan

ANSWERS_WITHIN_S = 300.0

POOLS_FOR = 25
"""So many units have a pool each, as real ones; of more, several share one, because a server has only so many
connections. Each has its own listener in any case."""

LONGEST_LINE = 1 << 20


class HostProcess:
    """One process with its units."""

    def __init__(self, process: asyncio.subprocess.Process, units: list[Plan]) -> None:
        self._process = process
        self.units = units
        self.frozen = False
        self.lost = False

    async def tell(self, op: str, numbers: Iterable[int]) -> None:
        """Sends a command; returns when it is done."""
        wanted = list(numbers)
        if not wanted:
            return
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(msgspec.json.encode(Command(op, wanted)) + b"\n")
        answer = await asyncio.wait_for(self._process.stdout.readline(), ANSWERS_WITHIN_S)
        if not answer:
            raise SystemExit(f"a process of the fleet ended with {await self._process.wait()}")

    def freeze(self) -> None:
        """Stops it: connections stay open, and nothing answers."""
        self._process.send_signal(signal.SIGSTOP)
        self.frozen = True

    def thaw(self) -> None:
        self._process.send_signal(signal.SIGCONT)
        self.frozen = False

    async def kill(self) -> None:
        """Ends it without a word, as the loss of its machines would."""
        self._process.kill()
        self.lost = True
        await self._process.wait()

    async def end(self) -> None:
        """Ends it; its units leave the fleet without a word."""
        if self._process.returncode is None:
            self._process.kill()
            await self._process.wait()


class Hosts:
    """All processes."""

    def __init__(self, processes: list[HostProcess]) -> None:
        self.processes = processes

    @property
    def alive(self) -> list[Plan]:
        """The units that work."""
        return [unit for host in self.processes if not (host.frozen or host.lost) for unit in host.units]

    async def tell(self, op: str, plans: Iterable[Plan]) -> None:
        """Sends a command to the units, and waits until all have done it."""
        wanted = {plan.number for plan in plans}
        await asyncio.gather(
            *(host.tell(op, [u.number for u in host.units if u.number in wanted]) for host in self.processes)
        )


@asynccontextmanager
async def hosts(conninfo: str, scenario: Scenario, plans: list[Plan], directory: Path) -> AsyncIterator[Hosts]:
    """Starts the processes; no unit has joined yet. Ends them at the end of the block."""
    together = max(1, round(len(plans) / POOLS_FOR))
    processes: list[HostProcess] = []
    try:
        for number, units in enumerate(_spread(scenario, plans)):
            path = directory / f"host-{number}.json"
            path.touch(mode=0o600)
            path.write_bytes(msgspec.json.encode(HostPlan(conninfo, units, together)))
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "tools.fleet.host", path, limit=LONGEST_LINE,
                stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
            )  # fmt: skip
            processes.append(HostProcess(process, units))
        yield Hosts(processes)
    finally:
        for host in processes:
            await host.end()


def _spread(scenario: Scenario, plans: list[Plan]) -> list[list[Plan]]:
    """The units of each process; with `frozen_host`, the last one has a unit of each group."""
    apart: list[Plan] = []
    if scenario.frozen_host:
        groups = {(plan.policy, plan.trusted): plan for plan in sorted(plans, key=lambda p: p.address, reverse=True)}
        apart = list(groups.values())
    rest = [plan for plan in plans if plan not in apart]
    spread = [rest[n :: scenario.hosts] for n in range(scenario.hosts)]
    return [units for units in (*spread, apart) if units]
