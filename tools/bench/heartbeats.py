"""What the heartbeats of an idle fleet cost the server: durable renewals next to renewals that a crash may forget.

    python -m tools.bench.heartbeats [--units 2 100] [--programs 10] [--seconds 60] [--interval 2]

Each unit sends what a daemon sends, every interval, staggered: its own usage and a sample of each of its programs, over
connections like the daemon's. The server is a container of its own that writes to the disk of this machine.
"""

import argparse
import asyncio
import time
from contextlib import AsyncExitStack
from typing import NamedTuple
from uuid import UUID, uuid4

import psycopg

from nodeunit.domain.events import UnitJoined
from nodeunit.domain.policy import Usage
from nodeunit.store.postgres import connections, migrator
from nodeunit.store.write import membership
from nodeunit.store.write.membership import Membership, ProgramSample
from tools.bench.database import Place, place
from tools.bench.figure import Figure
from tools.bench.rounds import Measured, in_turn
from tools.bench.suite import Bench
from tools.faults.summary import quantile

UNITS_A_POOL = 5
"""So many share two connections, because a server takes 200 and idle ones cost nothing here."""

SETTLES_S = 5.0
"""After the joins, before anything is counted."""

COUNTERS = """
    select (select sum(xact_commit) from pg_stat_database where datname = current_database())::float8 as commits,
           wal_bytes::float8, wal_sync::float8 as syncs
    from pg_stat_wal
"""


class Cost(NamedTuple):
    """Of one heartbeat, on average."""

    commits: float
    wal_bytes: float
    syncs: float
    """Writes that the server waited for on its disk."""
    cpu_ms: float
    """Of all processes of the server."""
    p50_ms: float
    p99_ms: float
    a_second: float


def main() -> None:
    """Measures both, for each size of fleet, and prints the ratios."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--units", type=int, nargs="+", default=[2, 100])
    parser.add_argument("--programs", type=int, default=10, help="of each unit [10]")
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--interval", type=float, default=2.0, help="NODE_UNIT_HEARTBEAT_INTERVAL [2]")
    options = parser.parse_args()
    print("| units | renewals | heartbeats/s | commits | WAL bytes | syncs | CPU ms | answer ms p50 / p99 |")
    print("|" + " --- |" * 8)
    for units in options.units:
        before, after = [
            _measured(durable, units, options.programs, options.seconds, options.interval) for durable in (False, True)
        ]
        for name, cost in (("forgettable", before), ("durable", after)):
            print(
                f"| {units} | {name} | {cost.a_second:.1f} | {cost.commits:.2f} | {cost.wal_bytes:.0f} "
                f"| {cost.syncs:.2f} | {cost.cpu_ms:.2f} | {cost.p50_ms:.1f} / {cost.p99_ms:.1f} |"
            )
        ratios = [after[n] / before[n] if before[n] else float("inf") for n in range(1, 6)]
        print(
            f"| {units} | ratio | | {after.commits / before.commits:.2f} | {ratios[0]:.2f} | {ratios[1]:.2f} "
            f"| {ratios[2]:.2f} | {ratios[3]:.1f} / {ratios[4]:.1f} |",
            flush=True,
        )


async def measure(bench: Bench) -> list[Figure]:
    """Of a fleet of a hundred units with ten programs each. Without the container of the server: no figures."""
    if not bench.place.container:
        return []

    async def costs() -> Measured:
        with bench.place.fresh() as database:
            server = Server(bench.place, database)
            cost = await cost_of(server, durable=True, units=100, programs=10, seconds=10.0, interval_s=2.0)
        return {
            "CPU of the server": cost.cpu_ms, "share of a core, 1,000 units": cost.cpu_ms / 1000 * 500 * 100,
            "WAL": cost.wal_bytes / 1024, "syncs": cost.syncs, "answer": cost.p50_ms, "answer, p99": cost.p99_ms,
        }  # fmt: skip

    units = {
        "CPU of the server": "ms", "share of a core, 1,000 units": "%", "WAL": "KiB", "syncs": "a heartbeat",
        "answer": "ms", "answer, p99": "ms",
    }  # fmt: skip
    told = [Figure(name, unit, []) for name, unit in units.items()]
    return await in_turn(1 if bench.short else bench.rounds, {"heartbeats of 100 units": costs}, told, bench.say)


class Server(NamedTuple):
    """A server in a container, and a database there."""

    place: Place
    conninfo: str


def _measured(durable: bool, units: int, programs: int, seconds: float, interval_s: float) -> Cost:
    with place("") as here:
        return asyncio.run(
            cost_of(Server(here, here.administrator), durable=durable, units=units, programs=programs,
                    seconds=seconds, interval_s=interval_s)
        )  # fmt: skip


async def cost_of(
    server: Server, *, durable: bool, units: int, programs: int, seconds: float, interval_s: float
) -> Cost:
    """Joins the units in the empty database, and measures their heartbeats for so many seconds."""
    conninfo = server.conninfo
    await migrator.migrate(conninfo)
    async with AsyncExitStack() as stack:
        members = []
        for number in range(units):
            if number % UNITS_A_POOL == 0:
                pool = connections.pool(conninfo, f"units {number}", max_size=2)
                await stack.enter_async_context(pool)
                if not durable:
                    async with pool.connection() as one, pool.connection() as other:
                        await one.execute("set synchronous_commit = off")
                        await other.execute("set synchronous_commit = off")
            members.append(await join_unit(pool, f"unit-{number}"))
        samples = [_samples(conninfo, unit, programs) for unit in members]
        took: list[float] = []
        beating = [
            asyncio.create_task(_beat(unit, its, interval_s, interval_s * n / units, took))
            for n, (unit, its) in enumerate(zip(members, samples, strict=True))
        ]
        await asyncio.sleep(SETTLES_S)
        took.clear()
        before = counters(server)
        await asyncio.sleep(seconds)
        after, count = counters(server), len(took)
        for task in beating:
            task.cancel()
        await asyncio.wait(beating)
    commits, wal, syncs, cpu = ((b - a) / count for a, b in zip(before, after, strict=True))
    p50_ms, p99_ms = (quantile(took, share) * 1000 for share in (0.5, 0.99))
    return Cost(commits, wal, syncs, cpu * 1000, p50_ms, p99_ms, count / seconds)


async def join_unit(pool: connections.Pool, address: str) -> Membership:
    """A unit that claims nothing joins, with a lease of ten seconds."""
    supervisor = uuid4()
    joined = UnitJoined(
        name=address, host="here", epoch=0, succeeds=None, supervisor=supervisor, policy="none", cpu_weight=0.5,
        memory_weight=0.5, trusted=".*", custom_command=False, version="0", reserved_cpu_percent=1.0,
        reserved_memory_mb=64.0,
    )  # fmt: skip
    return await membership.join(pool, address, supervisor, joined, lease_ttl_s=10, inactive_after_s=6)


def _samples(conninfo: str, unit: Membership, programs: int) -> list[ProgramSample]:
    """One of each of a unit's rows, which are assigned to it here."""
    with psycopg.connect(conninfo, autocommit=True) as connection:
        rows: list[tuple[UUID, int]] = connection.execute(
            "insert into deployment (package_name, package_version, address) "
            "select '@yuants/app', '1.0.0', %s from generate_series(1, %s) returning id, address_version",
            (unit.address, programs),
        ).fetchall()
    return [ProgramSample(each, version, 1.0, 50.0) for each, version in rows]


async def _beat(
    unit: Membership, samples: list[ProgramSample], every_s: float, first_s: float, took: list[float]
) -> None:
    await asyncio.sleep(first_s)
    while True:
        began = time.monotonic()
        await unit.heartbeat(Usage(1.0, 100.0), samples)
        took.append(time.monotonic() - began)
        await asyncio.sleep(max(every_s - (time.monotonic() - began), 0))


def counters(server: Server) -> tuple[float, float, float, float]:
    """Commits, bytes of WAL, syncs of it, and seconds of CPU of the server, so far."""
    with psycopg.connect(server.conninfo, autocommit=True) as connection:
        connection.execute("select pg_stat_force_next_flush()")
        found = connection.execute(COUNTERS.encode()).fetchone()
    assert found is not None
    return (*found, server.place.cpu_s())


if __name__ == "__main__":
    main()
