"""What the server does at best: statements a second by pgbench, and what no claim can do without."""

import asyncio
import re
import statistics
import time
from collections.abc import Awaitable, Callable

import psycopg
from psycopg.conninfo import conninfo_to_dict

from tools.bench.database import Place
from tools.faults.server import docker

SECONDS = 3
ONCE = 100


async def inserts_a_second(place: Place, database: str, clients: int) -> float:
    """Commits of one row each, by so many clients: pgbench in the container, else through connections from here."""
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("create table if not exists bench_scratch (n integer)")
    if place.container:
        return await asyncio.to_thread(_pgbench, place, database, clients)
    return await _from_here(database, clients)


def _pgbench(place: Place, database: str, clients: int) -> float:
    parts = conninfo_to_dict(database)
    script = "insert into bench_scratch values (1)"
    answer = docker(
        "exec", "-i", "-e", f"PGPASSWORD={parts.get('password', '')}", place.container, "sh", "-c",
        f"echo '{script}' > /tmp/bench.sql && pgbench -h 127.0.0.1 -U {parts['user']} -n -M prepared"
        f" -c {clients} -j 2 -T {SECONDS} -f /tmp/bench.sql {parts['dbname']}",
    )  # fmt: skip
    found = re.search(r"tps = ([\d.]+)", answer)
    assert found is not None, answer
    return float(found[1])


async def _from_here(database: str, clients: int) -> float:
    end = time.monotonic() + SECONDS

    async def insert() -> int:
        count = 0
        async with await psycopg.AsyncConnection.connect(database, autocommit=True, prepare_threshold=0) as connection:
            while time.monotonic() < end:
                await connection.execute("insert into bench_scratch values (1)")
                count += 1
        return count

    return sum(await asyncio.gather(*(insert() for _ in range(clients)))) / SECONDS


async def of_a_claim(database: str) -> dict[str, float]:
    """Medians in milliseconds, through connections like the units': one reading, one commit, one notification."""
    async with (
        await psycopg.AsyncConnection.connect(database, autocommit=True, prepare_threshold=0) as connection,
        await psycopg.AsyncConnection.connect(database, autocommit=True) as listening,
    ):
        await connection.execute("create table if not exists bench_scratch (n integer)")
        await listening.execute("listen bench_floor")

        async def notify() -> None:
            await connection.execute("notify bench_floor")
            async for _ in listening.notifies(stop_after=1):
                pass

        async def read() -> None:
            await connection.execute("select 1")

        async def commit() -> None:
            await connection.execute("insert into bench_scratch values (1)")

        return {"read": await _median_ms(read), "commit": await _median_ms(commit), "notify": await _median_ms(notify)}


async def _median_ms(operation: Callable[[], Awaitable[None]]) -> float:
    times = []
    for _ in range(ONCE):
        started = time.perf_counter()
        await operation()
        times.append((time.perf_counter() - started) * 1000)
    return statistics.median(times)
