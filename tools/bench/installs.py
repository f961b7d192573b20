"""How long it takes from the INSERT of the report to the 21st answer, and how long an upgrade interrupts a program.

    python -m tools.bench.installs [--runtime npm|python] [--deployments 21] [--upgrades 5] [--database URL]

Two units run the package of the demo from a registry of this machine. Cold: no unit has installed anything. Warm: the
same rows once more, with the package in the stores of both. The floor is what the programs need without a fleet: so
many are started at once by a shell.
"""

import argparse
import asyncio
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Mapping
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple
from uuid import UUID

import psycopg

from nodeunit.audit.report import read as read_report
from nodeunit.demo import program
from nodeunit.demo.children import LiveChildren
from nodeunit.demo.embedded import choose_database
from nodeunit.demo.fleet import DemoFleet, demo_fleet
from nodeunit.demo.package import VERSION, demo_package
from nodeunit.store.postgres import migrator
from nodeunit.store.read.report import Bounds
from nodeunit.store.write import demo_rows as store

WITHIN_S = 120.0
UPGRADE = "0.2.27"
LISTENING = b"listening on"


class Run(NamedTuple):
    """From one INSERT, in seconds."""

    last_claim_s: float
    last_answer_s: float


def main() -> None:
    """Runs the benchmark for each runtime, in a database that is chosen as the demo's is."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runtime", choices=["npm", "python"], action="append", help="one of the two [both]")
    parser.add_argument("--deployments", type=int, default=21)
    parser.add_argument("--upgrades", type=int, default=5)
    parser.add_argument("--database", default="")
    arguments = parser.parse_args()
    for runtime in arguments.runtime or ["npm", "python"]:
        with (
            choose_database(arguments.database or None, say=print) as chosen,
            tempfile.TemporaryDirectory() as directory,
            demo_package([] if runtime == "npm" else ["npm"], [VERSION, UPGRADE]) as package,
        ):
            print(f"== {runtime}, database: {chosen.description}")
            settings = {"POSTGRES_URI": chosen.conninfo, "PATH": os.environ["PATH"], "HOME": directory}
            bench = Bench(chosen.conninfo, runtime, arguments.deployments, arguments.upgrades)
            asyncio.run(bench.run(settings | package.settings, Path(directory)))


class Bench:
    """One runtime in one database."""

    def __init__(self, database: str, runtime: str, deployments: int, upgrades: int) -> None:
        self._database = database
        self._runtime = runtime
        self._deployments = deployments
        self._upgrades = upgrades

    async def run(self, settings: Mapping[str, str], directory: Path) -> None:
        """Prints all numbers."""
        await store.refuse_occupied(self._database)
        await migrator.migrate(self._database)
        with demo_fleet(2, dict(settings), directory, keep=False) as fleet:
            async with store.demo_rows(self._database) as rows:
                try:
                    cold = await self._insert(rows, fleet, first=True)
                    installs = await self._installs()
                    await rows.delete()
                    await self._quiet()
                finally:
                    await rows.delete()
            async with store.demo_rows(self._database) as rows:
                try:
                    warm = await self._insert(rows, fleet, first=False)
                    gaps = [await self._upgrade(rows, fleet, number) for number in range(self._upgrades)]
                finally:
                    await rows.delete()
        floor_s = await asyncio.to_thread(self._floor_s, directory)
        print(f"installations                    {' '.join(f'{took:.2f}' for took in installs)} s, one per unit")
        for name, run in (("cold", cold), ("warm", warm)):
            print(f"{name}, last of {self._deployments} claimed     {run.last_claim_s:8.3f} s")
            print(
                f"{name}, last of {self._deployments} answers     {run.last_answer_s:8.3f} s"
                f"  {run.last_answer_s / floor_s:5.1f} x floor"
            )
        print(f"floor: as many without a fleet   {floor_s:8.3f} s")
        if gaps:
            shown = " ".join(f"{gap:.0f}" for gap in gaps)
            print(f"out of service during an upgrade {statistics.median(gaps):8.0f} ms  median of {shown}")
        print(f"load                             {' '.join(f'{value:.2f}' for value in os.getloadavg())}")

    async def _insert(self, rows: store.DemoRows, fleet: DemoFleet, *, first: bool) -> Run:
        async def have_joined() -> bool:
            fleet.require_alive()
            return sum(unit.cpu_percent is not None for unit in await rows.units()) == len(fleet.units)

        if first:
            await _until(have_joined)
        children = LiveChildren(fleet)
        began = time.monotonic()
        await rows.insert(self._deployments, self._runtime)

        async def answer() -> bool:
            fleet.require_alive()
            if failure := (await rows.installs()).failure:
                raise SystemExit(failure)
            return await children.look(await rows.processes()) == self._deployments

        await _until(answer)
        took_s = time.monotonic() - began
        total = (await read_report(self._database, Bounds(since=rows.started_at))).total
        assert total is not None
        assert total.last_ms is not None
        return Run(total.last_ms / 1000, took_s)

    async def _installs(self) -> list[float]:
        """Seconds, one for each unit."""
        query = (
            "select max((data ->> 'took_s')::float8) from event where type = 'ProgramInstalled'"
            " group by unit_address order by 1"
        )
        async with await psycopg.AsyncConnection.connect(self._database) as connection:
            return [row[0] for row in await (await connection.execute(query)).fetchall()]

    async def _quiet(self) -> None:
        """Until every program of the deleted rows has ended."""
        query = (
            "select count(*) filter (where type = 'ProcessStarted') = count(*) filter (where type = 'ProcessExited')"
            " from event where type in ('ProcessStarted', 'ProcessExited')"
        )
        async with await psycopg.AsyncConnection.connect(self._database, autocommit=True) as connection:

            async def ended() -> bool:
                row = await (await connection.execute(query)).fetchone()
                assert row is not None
                return bool(row[0])

            await _until(ended)

    async def _upgrade(self, rows: store.DemoRows, fleet: DemoFleet, number: int) -> float:
        """The longest time without an answer, in ms, while one row gets another version, which is installed first."""
        before = (await rows.processes())[0]
        times: list[float] = []

        async def changed() -> bool:
            (now,) = [one for one in await rows.processes() if one.deployment_id == before.deployment_id]
            answers = await LiveChildren(fleet).look([now]) == 1
            if answers:
                times.append(time.monotonic())
            return answers and now.pid != before.pid

        await changed()
        await self._change(before.deployment_id, VERSION if number % 2 else UPGRADE)
        await _until(changed, every_s=0)
        return max(after - before for before, after in pairwise(times)) * 1000

    async def _change(self, deployment: UUID, version: str) -> None:
        async with await psycopg.AsyncConnection.connect(self._database, autocommit=True) as connection:
            await connection.execute("update deployment set package_version = %s where id = %s", (version, deployment))

    def _floor_s(self, directory: Path) -> float:
        """From the start of the first to the moment at which all listen."""
        server = ["node", str(Path(program.__file__).with_name("server.js"))]
        command = server if self._runtime == "npm" else [sys.executable, program.__file__]
        environment = os.environ | {"DEPLOYMENT_ID": "none", "NODEUNIT_CLAIM_VERSION": "0"}
        logs = [directory / f"floor-{number}.log" for number in range(self._deployments)]
        began = time.monotonic()
        processes = []
        try:
            for log in logs:
                with log.open("wb") as output:
                    processes.append(subprocess.Popen(command, stdout=output, stderr=output, env=environment))
            while not all(LISTENING in log.read_bytes() for log in logs):
                time.sleep(0.005)
            return time.monotonic() - began
        finally:
            for process in processes:
                process.kill()
                process.wait()


async def _until(condition: Callable[[], Awaitable[bool]], every_s: float = 0.01) -> None:
    give_up_at = time.monotonic() + WITHIN_S
    while not await condition():
        if time.monotonic() > give_up_at:
            raise SystemExit(f"not within {WITHIN_S:.0f} s")
        await asyncio.sleep(every_s)


if __name__ == "__main__":
    main()
