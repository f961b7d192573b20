"""pgqueuer over asyncpg in its own recommended set-up: how soon it picks a job up, and how many it does a second.

    pgqueuer_peer.py pickup DATABASE JOBS | throughput DATABASE JOBS BATCH     prints {"pickup_ms"} or {"jobs_a_second"}

Times are those of commits: its log has a row for each, written in the transaction of what happened.
"""

import asyncio
import json
import sys
import time
from datetime import timedelta

import asyncpg
from pgqueuer import AsyncpgDriver, AsyncpgPoolDriver, Job, PgQueuer, Queries
from pgqueuer.types import QueueExecutionMode

PICKED_UP = """
    select extract(epoch from pg_xact_commit_timestamp(p.xmin) - pg_xact_commit_timestamp(q.xmin))::float8 * 1000 as ms
    from pgqueuer_log q join pgqueuer_log p on p.job_id = q.job_id and p.status = 'picked'
    where q.status = 'queued' order by q.job_id
"""


async def pickup(database: str, jobs: int) -> dict[str, object]:
    """Single jobs, each when the worker is idle."""
    worker = PgQueuer(AsyncpgDriver(await asyncpg.connect(database)))
    done = asyncio.Event()

    @worker.entrypoint("one")  # type: ignore[untyped-decorator,unused-ignore]
    async def one(job: Job) -> None:
        done.set()

    working = asyncio.create_task(worker.qm.run(log_aggregation_interval=timedelta(0)))
    await asyncio.sleep(1)  # it listens by then
    connection = await asyncpg.connect(database)
    queries = Queries(AsyncpgDriver(connection))
    for _ in range(jobs):
        done.clear()
        await queries.enqueue("one", None)
        await asyncio.wait_for(done.wait(), 30)
        await asyncio.sleep(0.2)
    found = [row["ms"] for row in await connection.fetch(PICKED_UP)]
    worker.shutdown.set()
    await working
    return {"pickup_ms": found}


async def throughput(database: str, jobs: int, batch: int) -> dict[str, object]:
    """All jobs are there before the worker begins."""
    async with asyncpg.create_pool(database, min_size=2, max_size=10) as pool:
        worker = PgQueuer(AsyncpgPoolDriver(pool))

        @worker.entrypoint("one")  # type: ignore[untyped-decorator,unused-ignore]
        async def one(job: Job) -> None:
            pass

        await worker.qm.queries.enqueue(["one"] * jobs, [None] * jobs, [0] * jobs)
        began = time.perf_counter()
        await worker.qm.run(batch_size=batch, mode=QueueExecutionMode.drain, log_aggregation_interval=timedelta(0))
        return {"jobs_a_second": jobs / (time.perf_counter() - began)}


async def main() -> None:
    """Makes its schema in the empty database, and measures."""
    what, database, *numbers = sys.argv[1:]
    connection = await asyncpg.connect(database)
    await Queries(AsyncpgDriver(connection)).install()
    await connection.close()
    jobs, *batch = map(int, numbers)
    found = await (pickup(database, jobs) if what == "pickup" else throughput(database, jobs, *batch))
    print(json.dumps(found))


asyncio.run(main())
