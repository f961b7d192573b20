"""Real units as processes: started, idle, given rows, and what the log says of the claims."""

import asyncio
import shutil
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import psycopg

from nodeunit.demo.fleet import demo_fleet
from nodeunit.store.postgres import migrator
from tools.fleet import figures
from tools.fleet.figures import Figures

IDLE_AFTER_S = 0.5
"""Without a new event for so long a fleet is idle."""

WITHIN_S = 180.0

SLEEP = shutil.which("sleep") or "/bin/sleep"

INSERT = """
    insert into deployment (package_name, package_version, command, args)
    select '@yuants/app-portal', '0.2.26', %s, '["1000000"]' from generate_series(1, %s)
"""

MEASURED = "select count(*) from lease where cpu_percent is not null"
CLAIMED = "select count(*) from deployment where address <> ''"
STARTED = "select count(distinct deployment_id) from event where type = 'ProcessStarted'"
NEWEST = "select coalesce(max(position), 0) from event"
LAST_START_MS = """
    select extract(epoch from max(e.recorded_at) filter (where e.type = 'ProcessStarted')
           - min(e.recorded_at) filter (where e.type = 'DeploymentCreated'))::float8 * 1000
    from event e
"""


class RealFleet:
    """Units that run, in a database of their own."""

    def __init__(self, database: str) -> None:
        self._database = database

    async def single(self, inserts: int) -> Figures:
        """Single rows, each inserted when the fleet is idle."""
        mark = figures.begin(self._database)
        before = self.value(CLAIMED)
        for number in range(1, inserts + 1):
            await self.idle()
            self._insert(1)
            await until(lambda wanted=before + number: self.value(CLAIMED) >= wanted)  # type: ignore[misc]
        await self.idle()
        return figures.since(self._database, mark)

    async def burst(self, rows: int) -> tuple[Figures, float]:
        """Rows in one statement. Also the milliseconds until the last program was recorded as started."""
        await self.idle()
        mark = figures.begin(self._database)
        self._insert(rows)
        await until(lambda: self.value(STARTED) >= rows)
        return figures.since(self._database, mark), self.value(LAST_START_MS)

    async def idle(self) -> None:
        """Waits until nothing new is in the log."""
        newest, since = -1.0, time.monotonic()

        def nothing_new() -> bool:
            nonlocal newest, since
            if (now := self.value(NEWEST)) != newest:
                newest, since = now, time.monotonic()
            return time.monotonic() - since > IDLE_AFTER_S

        await until(nothing_new)

    def value(self, query: str) -> float:
        """The single number that a query returns."""
        with psycopg.connect(self._database, autocommit=True) as connection:
            found = connection.execute(query.encode()).fetchone()
        assert found is not None
        return float(found[0])

    def _insert(self, rows: int) -> None:
        with psycopg.connect(self._database, autocommit=True) as connection:
            connection.execute(INSERT, (SLEEP, rows))


@asynccontextmanager
async def real_fleet(database: str, units: int, policy: str = "deployment_count") -> AsyncIterator[RealFleet]:
    """Migrates the database and starts units that have measured themselves; ends them with their programs."""
    await migrator.migrate(database)
    settings = {"POSTGRES_URI": database, "NODE_UNIT_CLAIM_POLICY": policy, "ENABLE_CUSTOM_COMMAND": "true",
                "NODE_UNIT_STOP_GRACE": "0"}  # fmt: skip
    with (
        tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as directory,
        demo_fleet(units, settings, Path(directory), keep=False) as running,
    ):
        fleet = RealFleet(database)
        await until(lambda: fleet.value(MEASURED) >= units)
        running.require_alive()
        yield fleet


async def until(condition: Callable[[], bool]) -> None:
    """Looks twenty times a second, in a thread. Raises SystemExit when it takes too long."""
    give_up_at = time.monotonic() + WITHIN_S
    while not await asyncio.to_thread(condition):
        if time.monotonic() > give_up_at:
            raise SystemExit(f"not within {WITHIN_S:.0f} s")
        await asyncio.sleep(0.05)
