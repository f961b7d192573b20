"""What leases of units that are gone cost a heartbeat, and how long a fleet takes to declare many units lost at once.

    python -m tools.bench.leases [--dead 20000] [--lost 200] [--sessions 40] [--seconds 10]

Leases of units that are gone were kept for ever before a join removed them, so that heartbeats are measured with and
without them. The server is in a container of its own.
"""

import argparse
import asyncio
import time
from contextlib import AsyncExitStack
from typing import LiteralString
from uuid import uuid4

import psycopg

from nodeunit.demo.container import timescaledb_container
from nodeunit.domain.policy import Usage
from nodeunit.store.postgres import connections, migrator
from nodeunit.store.postgres.connections import Pool
from nodeunit.store.write.membership import Membership
from tools.bench.heartbeats import join_unit
from tools.faults.summary import quantile
from tools.timescaledb.image import usable

DEAD: LiteralString = """
    insert into lease (address, supervisor, epoch, renewed_at, expires_at, inactive_at)
    select 'gone-' || n, gen_random_uuid(), null, now() - interval '2 days', now() - interval '47 hours', now()
    from generate_series(1, %s) n
"""

EXPIRE: LiteralString = """
    update lease set renewed_at = renewed_at - interval '1 hour', expires_at = expires_at - interval '1 hour'
    where address like 'lost-%%'
"""


def main() -> None:
    """Measures both and prints them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dead", type=int, default=20_000, help="leases of units that are gone [20000]")
    parser.add_argument("--lost", type=int, default=200, help="units lost at once [200]")
    parser.add_argument("--sessions", type=int, default=40, help="units that find that [40]")
    parser.add_argument("--seconds", type=float, default=10, help="of heartbeats [10]")
    options = parser.parse_args()
    asyncio.run(_measure(options.dead, options.lost, options.sessions, options.seconds))


async def _measure(dead: int, lost: int, sessions: int, seconds: float) -> None:
    with timescaledb_container(usable()) as container:
        await migrator.migrate(container.conninfo)
        async with AsyncExitStack() as stack:
            pool = connections.pool(container.conninfo, "bench", max_size=2)
            await stack.enter_async_context(pool)
            await _dead_leases(container.conninfo, pool, dead, seconds)
            # Each finder is a unit of its own, so each has a session of its own.
            pools = [connections.pool(container.conninfo, f"finder {n}", max_size=2) for n in range(sessions)]
            for own in pools:
                await stack.enter_async_context(own)
            await _many_lost(container.conninfo, pool, pools, lost)


async def _dead_leases(conninfo: str, pool: Pool, dead: int, seconds: float) -> None:
    unit = await join_unit(pool, "heart")
    print("| leases | heartbeat, ms p50 / p99 |\n| --- | --- |")
    await _print_heartbeats(conninfo, unit, seconds)
    with psycopg.connect(conninfo, autocommit=True) as connection:
        connection.execute(DEAD, (dead,))
        connection.execute("analyze lease")
    await _print_heartbeats(conninfo, unit, seconds)
    while _leases(conninfo) > 100:
        began = time.monotonic()
        await join_unit(pool, f"newcomer-{uuid4()}")
        print(f"a join took {(time.monotonic() - began) * 1000:.0f} ms")
    with psycopg.connect(conninfo, autocommit=True) as connection:
        connection.execute("vacuum lease")  # as autovacuum does within a minute
    await _print_heartbeats(conninfo, unit, seconds)


async def _print_heartbeats(conninfo: str, unit: Membership, seconds: float) -> None:
    took: list[float] = []
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        took.append(await _timed_heartbeat(unit))
        await asyncio.sleep(0.02)
    print(f"| {_leases(conninfo)} | {quantile(took, 0.5) * 1000:.1f} / {quantile(took, 0.99) * 1000:.1f} |", flush=True)


async def _timed_heartbeat(unit: Membership) -> float:
    began = time.monotonic()
    await unit.heartbeat(Usage(1.0, 100.0), [])
    return time.monotonic() - began


def _leases(conninfo: str) -> int:
    with psycopg.connect(conninfo) as connection:
        row = connection.execute("select count(*)::int from lease").fetchone()
    assert row is not None
    return int(row[0])


async def _many_lost(conninfo: str, pool: Pool, pools: list[Pool], lost: int) -> None:
    addresses = [f"lost-{uuid4().hex[:8]}-{n}" for n in range(lost)]
    for address in addresses:
        await join_unit(pool, address)
    finders = [await join_unit(own, f"finder-{n}") for n, own in enumerate(pools)]
    with psycopg.connect(conninfo, autocommit=True) as connection:
        connection.execute(EXPIRE)
    heartbeats: list[float] = []

    async def find(unit: Membership) -> int:
        return len(await unit.declare_lost(addresses))

    async def beat() -> None:
        while True:
            heartbeats.append(await _timed_heartbeat(finders[0]))
            await asyncio.sleep(0.01)

    beating = asyncio.create_task(beat())
    began = time.monotonic()
    declared = sum(await asyncio.gather(*(find(unit) for unit in finders[1:])))
    took_s = time.monotonic() - began
    beating.cancel()
    print(
        f"{declared} of {lost} units declared lost by {len(finders) - 1} sessions: {took_s:.2f} s; "
        f"the longest heartbeat meanwhile: {max(heartbeats, default=0.0) * 1000:.0f} ms",
        flush=True,
    )


if __name__ == "__main__":
    main()
