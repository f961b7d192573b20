"""How fast an idle fleet of two units claims: single inserts and one burst, next to what the machine allows.

    python -m tools.bench_claims [--inserts 20] [--burst 21] [--policy resource_usage] [--database URL]

Times are from the commit of the insert to the commit of the claim, from the log. The floors are measured in the same
run, through connections like the units': a claim takes at least one notification, one reading and one commit.
"""

import argparse
import asyncio
import os
import shlex
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from uuid import UUID

import psycopg

from nodeunit.audit.report import Report
from nodeunit.audit.report import read as read_report
from nodeunit.demo import program
from nodeunit.demo.embedded import choose_database
from nodeunit.demo.fleet import demo_fleet
from nodeunit.store.postgres import migrator
from nodeunit.store.read.report import Bounds
from nodeunit.store.write import demo_rows as store

FLOOR_ROUNDS = 100
IDLE_AFTER_S = 0.5
"""Without a new event for so long the fleet is idle."""
WITHIN_S = 60.0


def main() -> None:
    """Runs the benchmark in a database that is chosen as the demo's is."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--inserts", type=int, default=20)
    parser.add_argument("--burst", type=int, default=21)
    parser.add_argument("--policy", default="resource_usage", choices=["resource_usage", "deployment_count"])
    parser.add_argument("--database", default="")
    arguments = parser.parse_args()
    with choose_database(arguments.database or None, say=print) as chosen, tempfile.TemporaryDirectory() as directory:
        print(f"database: {chosen.description}")
        settings = {
            "POSTGRES_URI": chosen.conninfo,
            "NODE_UNIT_CLAIM_POLICY": arguments.policy,
            "ENABLE_CUSTOM_COMMAND": "true",
        }
        asyncio.run(_run(chosen.conninfo, settings, Path(directory), arguments.inserts, arguments.burst))


async def _run(database: str, settings: dict[str, str], directory: Path, inserts: int, burst: int) -> None:
    await store.refuse_occupied(database)
    await migrator.migrate(database)
    async with store.demo_rows(database) as rows:
        try:
            with demo_fleet(2, settings, directory, keep=False) as fleet:

                async def have_joined() -> bool:
                    fleet.require_alive()
                    return sum(unit.cpu_percent is not None for unit in await rows.units()) == 2

                await _until(have_joined)
                floors = await _floors(database)
                since = rows.started_at
                for n in range(1, inserts + 1):
                    await _idle(database)
                    rows.adopt(await _insert(database, 1))
                    await _until(lambda n=n: _claimed(rows, n))  # type: ignore[misc]
                single = await read_report(database, Bounds(since=since))
                await rows.delete()
                await _idle(database)
                rows.adopt(await _insert(database, burst))
                await _until(lambda: _claimed(rows, burst))
                whole = await read_report(database, Bounds(since=since))
        finally:
            await rows.delete()
    _print(floors, single, whole, burst)


async def _insert(database: str, count: int) -> list[UUID]:
    """Rows with a command, because an installation would disturb what is measured."""
    command = shlex.join([sys.executable, "-I", "-S", program.__file__])
    async with await psycopg.AsyncConnection.connect(database, autocommit=True) as connection:
        cursor = await connection.execute(
            "insert into deployment (package_name, package_version, command)"
            " select '@yuants/app-portal', '0.2.26', %s from generate_series(1, %s) returning id",
            (command, count),
        )
        return [row[0] for row in await cursor.fetchall()]


async def _claimed(rows: store.DemoRows, wanted: int) -> bool:
    return sum(unit.claimed for unit in await rows.units()) >= wanted


async def _idle(database: str) -> None:
    """Waits until nothing new is in the log."""
    async with await psycopg.AsyncConnection.connect(database, autocommit=True) as connection:
        quiet: tuple[object, float] = (None, 0.0)

        async def nothing_new() -> bool:
            nonlocal quiet
            cursor = await connection.execute("select max(position) from event")
            row = await cursor.fetchone()
            if row != quiet[0]:
                quiet = (row, time.monotonic())
            return time.monotonic() - quiet[1] > IDLE_AFTER_S

        await _until(nothing_new)


async def _floors(database: str) -> dict[str, float]:
    """Medians in milliseconds of what no claim can do without."""
    async with (
        await psycopg.AsyncConnection.connect(database, autocommit=True) as connection,
        await psycopg.AsyncConnection.connect(database, autocommit=True) as listening,
    ):
        await connection.execute("create table if not exists bench_scratch (n integer)")
        await listening.execute("listen bench_claims")

        async def notify() -> None:
            await connection.execute("notify bench_claims")
            async for _ in listening.notifies(stop_after=1):
                pass

        async def read() -> None:
            await connection.execute("select 1")

        async def commit() -> None:
            await connection.execute("insert into bench_scratch values (1)")

        floors = {
            "SELECT 1": await _median_ms(read),
            "one-row commit": await _median_ms(commit),
            "NOTIFY to listener": await _median_ms(notify),
        }
        await connection.execute("drop table bench_scratch")
    return floors


async def _median_ms(operation: Callable[[], Awaitable[None]]) -> float:
    times = []
    for _ in range(FLOOR_ROUNDS):
        started = time.perf_counter()
        await operation()
        times.append((time.perf_counter() - started) * 1000)
    return statistics.median(times)


async def _until(condition: Callable[[], Awaitable[bool]]) -> None:
    give_up_at = time.monotonic() + WITHIN_S
    while not await condition():
        if time.monotonic() > give_up_at:
            raise SystemExit(f"not within {WITHIN_S:.0f} s")
        await asyncio.sleep(0.05)


def _print(floors: dict[str, float], single: Report, whole: Report, burst: int) -> None:
    """Everything in milliseconds, and how many times its floor."""
    for name, value in floors.items():
        print(f"{name:32} {value:8.2f} ms  median of {FLOOR_ROUNDS}")
    floor = sum(floors.values())
    print(f"{'floor of a claim: all three':32} {floor:8.2f} ms")

    inserts = [line for line in single.timings if not line.total]
    first = sorted(line.first_ms for line in inserts if line.first_ms is not None)
    p95 = statistics.quantiles(first, n=20, method="inclusive")[-1]
    for name, value in (("first claim, median", statistics.median(first)), ("first claim, 95 %", p95)):
        print(f"{name:32} {value:8.2f} ms  {value / floor:5.1f} x floor, {len(first)} single inserts")

    last = next(line for line in whole.timings if not line.total and line.deployments == burst)
    assert last.first_ms is not None
    assert last.median_ms is not None
    assert last.last_ms is not None
    # Two units claim at the same time, so the burst's floor is half of what its commits take one after the other.
    floor = floor - floors["one-row commit"] + (floors["SELECT 1"] + floors["one-row commit"]) * burst / 2
    for name, value in (("first", last.first_ms), ("median", last.median_ms), ("last", last.last_ms)):
        ratio = f"  {value / floor:5.1f} x {floor:.2f} ms" if name == "last" else ""
        print(f"{f'burst of {burst}, {name} claim':32} {value:8.2f} ms{ratio}")
    split = " to ".join(str(count) for address, count in whole.split_at_end.items() if address)
    print(f"{'split':32} {split:>8}")
    print(f"{'violations':32} {whole.violations:8d}")
    print(f"{'clock':32} {'commits' if last.by_commit else 'recorded_at':>8}")
    print(f"{'load':32} {' '.join(f'{value:.2f}' for value in os.getloadavg()):>8}")


if __name__ == "__main__":
    main()
