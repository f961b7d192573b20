"""procrastinate in its own recommended set-up: how soon it picks a job up, and how many it does a second.

    procrastinate_peer.py pickup DATABASE JOBS | throughput DATABASE JOBS     prints {"pickup_ms"} or {"jobs_a_second"}

Times are those of commits: its table of events has a row for each, written in the transaction of what happened.
"""

import asyncio
import json
import sys
import time

import psycopg
from procrastinate import App, PsycopgConnector

CONCURRENCY = 10

PICKED_UP = """
    select extract(epoch from pg_xact_commit_timestamp(s.xmin) - pg_xact_commit_timestamp(d.xmin))::float8 * 1000
    from procrastinate_events d join procrastinate_events s on s.job_id = d.job_id and s.type = 'started'
    where d.type = 'deferred' order by d.job_id
"""


async def pickup(app: App, database: str, jobs: int) -> dict[str, object]:
    """Single jobs, each when the worker is idle."""
    done = asyncio.Event()

    @app.task(name="one")  # type: ignore[untyped-decorator,unused-ignore]
    async def one() -> None:
        done.set()

    working = asyncio.create_task(app.run_worker_async(concurrency=CONCURRENCY, install_signal_handlers=False))
    await asyncio.sleep(1)  # it listens by then
    for _ in range(jobs):
        done.clear()
        await one.defer_async()
        await asyncio.wait_for(done.wait(), 30)
        await asyncio.sleep(0.2)
    working.cancel()
    await asyncio.gather(working, return_exceptions=True)
    with psycopg.connect(database) as connection:
        return {"pickup_ms": [row[0] for row in connection.execute(PICKED_UP).fetchall()]}


async def throughput(app: App, database: str, jobs: int) -> dict[str, object]:
    """All jobs are there before the worker begins."""

    @app.task(name="one")  # type: ignore[untyped-decorator,unused-ignore]
    async def one() -> None:
        pass

    await one.batch_defer_async(*({} for _ in range(jobs)))
    began = time.perf_counter()
    await app.run_worker_async(concurrency=CONCURRENCY, wait=False, install_signal_handlers=False)
    return {"jobs_a_second": jobs / (time.perf_counter() - began)}


async def main() -> None:
    """Makes its schema in the empty database, and measures."""
    what, database, jobs = sys.argv[1:]
    app = App(connector=PsycopgConnector(conninfo=database))
    async with app.open_async():
        await app.schema_manager.apply_schema_async()
        measure = {"pickup": pickup, "throughput": throughput}[what]
        print(json.dumps(await measure(app, database, int(jobs))))


asyncio.run(main())
