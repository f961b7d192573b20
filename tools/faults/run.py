"""A run: many trials, one after the other, that share a server and a fleet as long as those stay in order."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import psycopg

from nodeunit.clock import boottime
from tools.faults.build import Build
from tools.faults.catalogue import ALL, ground_of
from tools.faults.fleet import Fleet, fleet
from tools.faults.grounds import Ground
from tools.faults.trial import Outcome, run_trial

TRIALS_BETWEEN_AUDITS = 20


class Shape(NamedTuple):
    """What every fleet of a run is made of."""

    units: int = 3
    rows: int = 12
    stops: float = 0.5
    ttl_s: float = 4.0
    """Long enough for a daemon that was killed to be back on a machine that does much else: Python alone needs a second
    or two there."""
    heartbeat_s: float = 0.5
    settle_s: float = 45.0
    """How long a fleet may take to come to rest after a fault."""


@dataclass
class Run:
    """`violations` are the broken rules of the logs, each told once a fleet."""

    build: Build
    directory: Path
    shape: Shape
    on_outcome: Callable[[Outcome], None] = lambda outcome: None
    outcomes: list[Outcome] = field(default_factory=list)
    violations: list[str] = field(default_factory=list)
    odd_one: Build | None = None
    """What the first unit of each fleet runs from, if it is to differ."""
    prepare: Callable[[str], None] = lambda conninfo: None
    """Called with each migrated database, before its fleet starts: where broken builds break it."""

    def trials(self, plan: Sequence[tuple[str, int]], until: float | None = None) -> list[Outcome]:
        """Runs kinds with their seeds, in order; no more once CLOCK_BOOTTIME has passed `until`."""
        asyncio.run(self._trials(list(plan), until))
        return self.outcomes

    async def _trials(self, plan: list[tuple[str, int]], until: float | None) -> None:
        for make_ground in dict.fromkeys(ground_of(name) for name, _ in plan):
            here = [trial for trial in plan if ground_of(trial[0]) is make_ground]
            while here and not _is_over(until):
                with make_ground() as ground:
                    async with self._fleet(ground) as running:
                        trials = here if ground.lasts else [here.pop(0)]
                        await self._work_through(running, trials, until)

    async def _work_through(self, running: Fleet, plan: list[tuple[str, int]], until: float | None) -> None:
        """Takes trials from the plan until it is empty, or the fleet does not come to rest any more."""
        done = 0
        while plan and not _is_over(until):
            name, seed = plan.pop(0)
            outcome = await run_trial(running, name, ALL[name], seed, self.shape.settle_s)
            self.outcomes.append(outcome)
            self.on_outcome(outcome)
            done += 1
            if outcome.complaint or done % TRIALS_BETWEEN_AUDITS == 0 or not plan:
                self.violations += [v for v in await running.observer.violations() if v not in self.violations]
            if outcome.complaint:
                return

    @asynccontextmanager
    async def _fleet(self, ground: Ground) -> AsyncIterator[Fleet]:
        number = len(list(self.directory.glob("fleet-*")))
        directory = self.directory / f"fleet-{number}"
        directory.mkdir()
        await asyncio.to_thread(self.build.migrate, ground.conninfo)
        self.prepare(ground.conninfo)
        shape = self.shape
        async with fleet(
            self.build, directory, ground, units=shape.units, rows=shape.rows, stops=shape.stops, ttl_s=shape.ttl_s,
            heartbeat_s=shape.heartbeat_s, odd_one=self.odd_one,
        ) as running:  # fmt: skip
            yield running


def _is_over(until: float | None) -> bool:
    return until is not None and boottime() >= until


def execute(conninfo: str, statement: str) -> None:
    """For `prepare`: statements as a superuser types them."""
    with psycopg.connect(conninfo, autocommit=True) as connection:
        connection.execute(statement.encode())
