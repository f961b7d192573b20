"""What a fleet needs of its server besides CPU: bytes of an event, of a claimed row and of a usage sample; connections.

Bytes are of tables with their indexes. The memory of a connection is that of its process alone, without shared buffers.
"""

import asyncio
from pathlib import Path

import psycopg
from psycopg.conninfo import conninfo_to_dict

from nodeunit.store.postgres import migrator
from tools import synthetic_log
from tools.bench.figure import Figure
from tools.bench.suite import Bench
from tools.bench.units import real_fleet

UNITS, ROWS = 2, 50
USAGE_HOURS = 24

SIZE = """
    select coalesce(sum(pg_total_relation_size(c.oid)), 0)::float8
    from pg_class c left join pg_inherits i on i.inhrelid = c.oid
    where c.oid = %(table)s::regclass or i.inhparent = %(table)s::regclass
"""

COUNT = "select (select count(*) from event)::float8, (select count(*) from usage)::float8"

CONNECTIONS = """
    select count(*)::float8 from pg_stat_activity
    where datname = current_database() and application_name like 'nodeunit%'
"""


async def measure(bench: Bench) -> list[Figure]:
    """Of a log of a hundred thousand events, of a burst, and of two units that are idle after it."""
    told = []
    bench.say("storage: a long log")
    with bench.place.fresh() as database:
        await migrator.migrate(database)
        await asyncio.to_thread(_load, database)
        events, samples = _row(database, COUNT, {})
        told.append(Figure("bytes an event, with indexes", "bytes", [_size(database, "event") / events]))
        told.append(Figure("bytes a usage sample, with indexes", "bytes", [_size(database, "usage") / samples]))
    bench.say("storage: a burst")
    with bench.place.fresh() as database:
        async with real_fleet(database, UNITS) as fleet:
            before, events = _size(database, "event"), fleet.value("select count(*) from event")
            await fleet.burst(ROWS)
            await fleet.idle()
            told.append(Figure("log of a row that is inserted, claimed and started", "bytes",
                               [(_size(database, "event") - before) / ROWS]))  # fmt: skip
            count = fleet.value("select count(*) from event") - events
            told.append(Figure("events of a row that is inserted, claimed and started", "events", [count / ROWS]))
            fleet_connections = _row(database, CONNECTIONS, {})[0]
            found = _backends_mb(database)
    if found:
        told.append(Figure("connections of a unit", "", [fleet_connections / UNITS]))
        told.append(Figure("memory of a connection", "MB", found))
    return told


def _load(database: str) -> None:
    synthetic_log.load(database, events=100_000, units=10, deployments=200, usage_hours=USAGE_HOURS)


def _size(database: str, table: str) -> float:
    return _row(database, SIZE, {"table": table})[0]


def _row(database: str, query: str, parameters: dict[str, str]) -> tuple[float, ...]:
    with psycopg.connect(database, autocommit=True) as connection:
        found = connection.execute(query.encode(), parameters or None).fetchone()  # without any, % is itself
    assert found is not None
    return tuple(found)


def _backends_mb(database: str) -> list[float]:
    """Of each process of the server for this database; empty where they are not on this machine."""
    title = f" {conninfo_to_dict(database)['dbname']} ".encode()
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            command = (process / "cmdline").read_bytes()
            if command.startswith(b"postgres: ") and title in command and b"background" not in command.lower():
                found.append(int((process / "status").read_text().partition("RssAnon:")[2].split()[0]) / 1024)
        except (OSError, IndexError):
            continue
    return found
