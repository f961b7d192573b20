"""One run: a fleet joins an empty database, a scenario happens to it, and what must hold is looked at."""

import asyncio
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import msgspec

from nodeunit.store.postgres import migrator
from tools.fleet import figures, verdict
from tools.fleet import scenario as scenarios
from tools.fleet.figures import Figures
from tools.fleet.hosts import hosts
from tools.fleet.scenario import Scenario, Size
from tools.fleet.steps import Steps, Stuck
from tools.fleet.unit import Plan
from tools.fleet.verdict import Balance

SAMPLED_WITHIN_HEARTBEATS = 6


class Took(msgspec.Struct, frozen=True):
    """One step."""

    do: str
    seconds: float


class Outcome(msgspec.Struct, frozen=True):
    """What came of it."""

    size: Size
    joined_s: float
    took: list[Took]
    figures: Figures
    balances: list[Balance]
    faults: list[str]
    """What does not hold; empty if all does."""
    load: tuple[float, float, float]
    """Of the machine, at the end: 1, 5 and 15 minutes."""


async def run(conninfo: str, scenario: Scenario, size: Size, say: Callable[[str], None] = lambda _: None) -> Outcome:
    """Migrates the database, which must be empty, and runs the scenario. Leaves the database as it is then."""
    await migrator.migrate(conninfo)
    plans = scenarios.units(scenario, size)
    took: list[Took] = []
    stuck: list[str] = []
    with tempfile.TemporaryDirectory() as directory:
        async with hosts(conninfo, scenario, plans, Path(directory)) as fleet:
            began = time.monotonic()
            await fleet.tell("join", plans)
            joined_s = time.monotonic() - began
            say(f"{len(plans)} units have joined in {joined_s:.1f} s")
            # A unit that has no sample yet takes no part under resource_usage.
            await _sampled(conninfo, size, fleet.alive, heartbeats=2)
            mark = figures.begin(conninfo)
            steps = Steps(conninfo, scenario, size, fleet)
            for step in scenario.steps:
                began = time.monotonic()
                try:
                    await steps.do(step)
                except Stuck as error:
                    stuck.append(str(error))
                took.append(Took(step.do, time.monotonic() - began))
                say(f"{step.do}: {took[-1].seconds:.2f} s{', stuck: ' + stuck[-1] if stuck else ''}")
                if stuck:
                    break
            await _sampled(conninfo, size, steps.alive, heartbeats=2)
            balances = verdict.balances(conninfo, steps.alive)
            found = figures.since(conninfo, mark)
    broken = await verdict.faults(conninfo, scenario, balances)
    return Outcome(size, joined_s, took, found, balances, stuck + broken, os.getloadavg())


async def _sampled(conninfo: str, size: Size, alive: list[Plan], heartbeats: int) -> None:
    """Waits until each unit has sent so many more heartbeats, or is long overdue."""
    for _ in range(heartbeats):
        after = await asyncio.to_thread(verdict.now, conninfo)
        give_up_at = time.monotonic() + SAMPLED_WITHIN_HEARTBEATS * size.heartbeat_interval_s
        while not await asyncio.to_thread(verdict.all_sampled, conninfo, alive, after):
            if time.monotonic() > give_up_at:
                break
            await asyncio.sleep(0.1)
