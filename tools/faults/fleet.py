"""Several units with real programs, each behind its own proxy, and whether all is as it should be."""

import asyncio
import shlex
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from uuid import UUID

from nodeunit.clock import boottime
from tools.faults.build import Build
from tools.faults.grounds import Ground
from tools.faults.journals import Journals
from tools.faults.observer import OUTAGE, Observer
from tools.faults.proxy import Proxy, by_any_of
from tools.faults.unit import Unit

PROGRAM = Path(__file__).with_name("program.py")
TEMPERS = ("plain", "stubborn", "family")
SETTLED_LOOKS = 4
LOOK_EVERY_S = 0.1


class NotSettled(Exception):
    """The fleet did not come to rest: the text says what was still wrong."""


class Fleet:
    """`units` by name in order; `routes` by its name, a proxy for each server; `proxies` the first of those."""

    def __init__(
        self, ground: Ground, observer: Observer, journals: Journals, ttl_s: float, heartbeat_s: float
    ) -> None:
        self.units: list[Unit] = []
        self.proxies: dict[str, Proxy] = {}
        self.routes: dict[str, list[Proxy]] = {}
        self.server = ground.primary
        self.standby = ground.standby
        self.cluster = ground.cluster
        self.observer = observer
        self.journals = journals
        self.ttl_s = ttl_s
        self.heartbeat_s = heartbeat_s

    def of(self, address: str) -> Unit:
        """The unit with this address."""
        return next(unit for unit in self.units if unit.address == address)

    async def insert(self, count: int, on_disconnect: str, temper: str, client: Observer | None = None) -> list[UUID]:
        """New rows of the program under test, over the connection of the observer or another."""
        command = shlex.join([sys.executable, "-I", "-S", str(PROGRAM), str(self.journals.directory), temper])
        found = await (client or self.observer).ask(
            "insert into deployment (package_name, package_version, command, on_disconnect) "
            "select '@yuants/journal', '1.0.0', %s, %s from generate_series(1, %s) returning id",
            command, on_disconnect, count,
        )  # fmt: skip
        return [row["id"] for row in found]

    async def delete(self, ids: list[UUID]) -> None:
        await self.observer.ask("delete from deployment where id = any (%s)", ids)

    async def settle(self, within_s: float) -> None:
        """Returns when every unit takes part, and every row runs once, on its holder, under its claim.

        Raises NotSettled.
        """
        give_up_at = boottime() + within_s
        good = 0
        while good < SETTLED_LOOKS:
            complaint = await self.complaint()
            good = 0 if complaint else good + 1
            if complaint and boottime() > give_up_at:
                raise NotSettled(complaint)
            await asyncio.sleep(LOOK_EVERY_S)

    async def complaint(self) -> str:
        """What is not as it should be; empty when all is."""
        try:
            active, rows = await self.observer.active(), await self.observer.rows()
        except OUTAGE as outage:
            return f"the database is away: {str(outage).strip()}"
        if absent := [unit.name for unit in self.units if unit.address not in active]:
            return f"{', '.join(absent)} takes no part"
        if unclaimed := [row.id for row in rows if row.holder not in active]:
            return f"{len(unclaimed)} rows are not held by anybody active: {unclaimed[0]}"
        self.journals.read()
        alive: dict[UUID, list[tuple[str, int]]] = {}
        for copy in self.journals.alive():
            alive.setdefault(copy.deployment, []).append((copy.address, copy.claim_version))
        for row in rows:
            expected = [(row.holder, row.claim_version)]
            if (running := alive.get(row.id, [])) != expected:
                return f"{row.id} ({row.on_disconnect}) runs as {running} and should as {expected}"
        return ""


@asynccontextmanager
async def fleet(
    build: Build,
    directory: Path,
    ground: Ground,
    *,
    units: int = 3,
    rows: int = 12,
    stops: float = 0.5,
    ttl_s: float = 4.0,
    heartbeat_s: float = 0.5,
    odd_one: Build | None = None,
    settings: Mapping[str, str] | None = None,
) -> AsyncIterator[Fleet]:
    """A fleet on a migrated database, settled, with as many rows of `on_disconnect = stop` as the share `stops` says.

    The first unit runs from `odd_one` if that is given. Everything is killed when the block ends.
    """
    async with AsyncExitStack() as stack:
        observer = Observer(ground.conninfo)
        stack.push_async_callback(observer.close)
        made = Fleet(ground, observer, Journals(directory / "journals"), ttl_s, heartbeat_s)
        for number in range(1, units + 1):
            routes = [await stack.enter_async_context(Proxy(conninfo)) for conninfo in ground.servers]
            environment = {
                "POSTGRES_URI": by_any_of(routes) if routes else ground.conninfo,
                "NODE_UNIT_LOG_DIR": str(directory / "logs"),
                "NODE_UNIT_WORKSPACE": str(directory / "workspace"),
                "NODE_UNIT_LEASE_TTL": f"{ttl_s:g}",
                "NODE_UNIT_HEARTBEAT_INTERVAL": f"{heartbeat_s:g}",
                "NODE_UNIT_STOP_GRACE": "1",
                "ENABLE_CUSTOM_COMMAND": "true",
                **(settings or {}),
            }
            its_build = odd_one if odd_one is not None and number == 1 else build
            unit = Unit(f"unit-{number}", its_build, directory, environment)
            made.units.append(unit)
            if routes:
                made.routes[unit.name], made.proxies[unit.name] = routes, routes[0]
            stack.callback(unit.end)
            unit.start()
        bound = round(rows * stops)
        for number in range(rows):
            await made.insert(1, "stop" if number < bound else "keep", TEMPERS[number % len(TEMPERS)])
        await made.settle(60)
        yield made
