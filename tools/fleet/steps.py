"""What a scenario can say: each public coroutine of `Steps` is a step, by its name."""

import asyncio
import random
import time

import psycopg

from tools.fleet import scenario as scenarios
from tools.fleet.hosts import Hosts
from tools.fleet.scenario import Scenario, Size, Step
from tools.fleet.unit import Plan

LOOK_EVERY_S = 0.1

UNSETTLED = """
    select d.package_name || '@' || d.package_version as package, count(*)::int as rows,
           (array_agg(d.id::text order by d.updated_at))[1:3] as examples
    from deployment d
    where d.enabled and d.type = 'deployment' and not d.address = any (%(alive)s)
    group by 1
"""

INSERT = """
    insert into deployment (package_name, package_version, command, args)
    select %(package)s, '1.0.0', 'sleep', '["1000000"]' from generate_series(1, %(rows)s)
"""

CHURN = {
    "insert": INSERT,
    "delete": "delete from deployment where id in (select id from deployment order by random() limit %(rows)s)",
    "disable": (
        "update deployment set enabled = not enabled"
        " where id in (select id from deployment order by random() limit %(rows)s)"
    ),
    "change": (
        "update deployment set args = jsonb_build_array((random() * 1000000)::int::text)"
        " where id in (select id from deployment where enabled order by random() limit %(rows)s)"
    ),
    "free": (
        "update deployment set address = ''"
        " where id in (select id from deployment where address <> '' order by random() limit %(rows)s)"
    ),
}

AT_A_TIME = 20
"""So many parts the fleet has in a rolling restart."""


class Stuck(Exception):
    """Rows wait that a living unit could take, and no unit takes one."""


class Steps:
    """Does the steps of one run."""

    def __init__(self, conninfo: str, scenario: Scenario, size: Size, hosts: Hosts) -> None:
        self._conninfo = conninfo
        self._scenario = scenario
        self._size = size
        self._hosts = hosts
        self._some = random.Random(size.seed)
        self._away: list[Plan] = []

    @property
    def alive(self) -> list[Plan]:
        """The units that are in the fleet and work."""
        return [unit for unit in self._hosts.alive if unit not in self._away]

    async def do(self, step: Step) -> None:
        """Raises SystemExit if there is no such step, and Stuck."""
        work = getattr(self, step.do, None)
        if work is None or step.do.startswith("_"):
            raise SystemExit(f"there is no step {step.do}")
        await work(step)

    async def insert(self, step: Step) -> None:
        """Inserts a share of all rows, one statement for each kind."""
        for package, rows in scenarios.kinds(self._scenario, round(self._size.rows * step.share)):
            self._execute(INSERT, {"package": package, "rows": rows})

    async def insert_singly(self, step: Step) -> None:
        """Inserts single rows, each when the one before is claimed."""
        for _ in range(step.times):
            self._execute(INSERT, {"package": self._some.choice(self._scenario.rows).package, "rows": 1})
            await self.settle(step)

    async def settle(self, step: Step) -> None:
        """Waits until a living unit holds each row that one could take. Raises Stuck when that goes on no more."""
        alive = self.alive
        can_run: dict[str, bool] = {}
        last, since = -1, time.monotonic()
        while True:
            waiting, examples = 0, []
            for package, rows, some in await asyncio.to_thread(self._unsettled, alive):
                if package not in can_run:
                    can_run[package] = any(
                        unit.policy != "none" and scenarios.runnable(unit, package) for unit in alive
                    )
                if can_run[package]:
                    waiting += rows
                    examples += some
            if not waiting:
                return
            if waiting != last:
                last, since = waiting, time.monotonic()
            elif time.monotonic() - since > 4 * self._size.lease_ttl_s:
                raise Stuck(f"{waiting} rows wait though a living unit could take them: {', '.join(examples)} …")
            await asyncio.sleep(LOOK_EVERY_S)

    async def lose(self, step: Step) -> None:
        """Kills the processes of a share of the fleet, at once."""
        living = [host for host in self._hosts.processes if not (host.lost or host.frozen)]
        for host in living[: max(1, round(len(living) * step.share))]:
            await host.kill()

    async def freeze(self, step: Step) -> None:
        """Stops the process that has a unit of each group."""
        self._hosts.processes[-1].freeze()

    async def thaw(self, step: Step) -> None:
        """Lets it go on."""
        self._hosts.processes[-1].thaw()

    async def restart(self, step: Step) -> None:
        """Restarts a share of the units, some at a time: they drain, leave and join again."""
        units = self._part(step.share)
        width = max(1, len(self._hosts.alive) // AT_A_TIME)
        for first in range(0, len(units), width):
            await self._hosts.tell("leave", units[first : first + width])
            await self._hosts.tell("join", units[first : first + width])

    async def shrink(self, step: Step) -> None:
        """A share of the units leaves."""
        leaving = self._part(step.share)
        await self._hosts.tell("leave", leaving)
        self._away += leaving

    async def grow(self, step: Step) -> None:
        """Those that have left join again."""
        await self._hosts.tell("join", self._away)
        self._away = []

    async def churn(self, step: Step) -> None:
        """People change rows, one statement after the other: insert, delete, disable, enable, change, free."""
        rows = max(1, round(self._size.rows * step.share / 100))
        for _ in range(step.times):
            what = self._some.choice(sorted(CHURN))
            package = self._some.choice(self._scenario.rows).package
            await asyncio.to_thread(
                self._execute, CHURN[what], {"package": package, "rows": self._some.randint(1, rows)}
            )

    def _part(self, share: float) -> list[Plan]:
        here = self.alive
        return self._some.sample(here, max(1, round(len(here) * share)))

    def _unsettled(self, alive: list[Plan]) -> list[tuple[str, int, list[str]]]:
        with psycopg.connect(self._conninfo, autocommit=True) as connection:
            return connection.execute(UNSETTLED, {"alive": [unit.address for unit in alive]}).fetchall()

    def _execute(self, statement: str, parameters: dict[str, object]) -> None:
        with psycopg.connect(self._conninfo, autocommit=True) as connection:
            connection.execute("select setseed(%s)", (self._some.random(),))  # for what the statement picks at random
            connection.execute(statement.encode(), parameters)
