"""Years of log: few chunks, so that a statement over all of it finds room for its locks on any server."""

import asyncio
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psycopg
import pytest
from psycopg import errors, sql
from typer.testing import CliRunner

from nodeunit.cli.app import app
from nodeunit.store.postgres.connections import Pool
from nodeunit.store.postgres.migrator import migrate
from nodeunit.store.write import unit_reads
from tests.support.chunks import chunks_of_a_day, chunks_of_thirty_days
from tests.support.members import lose
from tests.support.rounds import claim_all, deciding
from tests.support.rows import insert_deployments, rows, value
from tools import synthetic_log

DEFAULT_LOCKS = 64 * 100
"""max_locks_per_transaction times max_connections, which all sessions share."""

ROOM = 1500
"""The room for locks that a log of half a year with a chunk per day is too large for."""

DAYS = 180

DIGEST = "select bit_xor(hash_record_extended(e.*, 0)) from event e"
CHUNKS = "select count(*)::int from timescaledb_information.chunks where hypertable_name = %s"


def test_five_years_are_under_a_hundred_chunks_and_leave_room_for_locks(database: str) -> None:
    with psycopg.connect(database) as superuser:
        superuser.execute(
            "insert into event (recorded_at, stream_id, stream_version, type) "
            "select now() - n * interval '1 day', 'log', 2000 - n, 'Something' from generate_series(0, 5 * 365) n"
        )
        superuser.execute(
            "insert into usage (recorded_at, unit_address, cpu_percent, memory_mb) "
            "select now() - n * interval '1 day', 'unit-1', 1, 1 from generate_series(0, 5 * 365) n"
        )
    chunks = rows(
        database,
        "select hypertable_name as name, count(*)::int as n from timescaledb_information.chunks group by 1 order by 1",
    )
    assert [row["name"] for row in chunks] == ["event", "usage"]
    assert all(50 < row["n"] < 100 for row in chunks)
    with psycopg.connect(database) as reader:
        reader.execute("select count(*) from event")
        reader.execute("select count(*) from usage")
        locks = reader.execute("select count(*) from pg_locks where pid = pg_backend_pid()").fetchone()
    assert locks is not None
    assert locks[0] < DEFAULT_LOCKS / 4


@pytest.fixture
def daily(database: str) -> Iterator[str]:
    """A log with a chunk per day, on a server that has no room to lock all of them."""
    chunks_of_a_day(database)
    synthetic_log.load(database, events=3000, units=3, deployments=20, days=DAYS)
    rows(
        database,
        "insert into usage (recorded_at, unit_address, cpu_percent, memory_mb) "
        "select now() - n * interval '1 day', 'unit-1', 1, 1 from generate_series(0, 90) n",
    )
    chunks_of_thirty_days(database)
    with psycopg.connect(database, autocommit=True) as other:
        taken = 0
        with suppress(errors.OutOfMemory):
            while True:
                taken += 500
                other.execute("select pg_advisory_lock(n) from generate_series(%s::int, %s) n", (taken - 499, taken))
        other.execute(
            "select pg_advisory_unlock(n) from generate_series(%s::int, %s) n", (taken - 499 - ROOM, taken - 500)
        )
        yield database


def test_a_log_with_a_chunk_per_day_is_merged_and_every_command_reads_it(daily: str, tmp_path: Path) -> None:
    assert value(daily, CHUNKS, ("event",)) >= DAYS - 1
    with pytest.raises(errors.OutOfMemory, match="shared memory"):
        value(daily, DIGEST)
    one_by_one = [
        value(daily, f"select bit_xor(hash_record_extended(e.*, 0)) from {row['chunk']} e")
        for row in rows(daily, "select chunk::text from chunks_before('event', 'infinity')")
    ]
    told: list[str] = []

    result = asyncio.run(migrate(daily, tell=told.append))

    assert result.merged > DAYS - 31
    assert len(told) == result.merged // 30 + 2
    digest = 0
    for chunk in one_by_one:
        digest ^= chunk or 0
    assert value(daily, DIGEST) == digest
    assert value(daily, CHUNKS, ("event",)) < DAYS // 30 + 35
    assert asyncio.run(migrate(daily)).merged == 0
    last = value(daily, "select id::text from deployment where address <> '' limit 1")
    for arguments in (
        ["report"],
        ["projections", "verify"],
        ["replay", "--at", "100d"],
        ["why", last],
        ["backtest", "--policy", "deployment_count", "--since", "150d"],
        ["events", "--since", "2d"],
        ["usage", "--since", "60d"],
        ["archive", "--until", "100d", "--file", str(tmp_path / "a.gz"), "--usage-until", "40d"],
        ["projections", "verify"],
        ["report"],
        ["why", last],
    ):
        done = CliRunner().invoke(app, [arguments[0], *arguments[1:], "--database", daily])
        assert done.exit_code == 0, (arguments, done.output)


INSERT = "insert into deployment (package_name) values ('@yuants/app')"


def test_a_transaction_left_open_is_never_the_first_in_a_chunk(database: str) -> None:
    def insert_meanwhile() -> None:
        with psycopg.connect(database) as person, psycopg.connect(database) as unit:
            person.execute(INSERT)
            unit.execute("set lock_timeout = '1s'")
            unit.execute(INSERT)

    chunks_of_a_day(database)
    with pytest.raises(errors.LockNotAvailable):
        insert_meanwhile()

    assert value(database, "select make_chunks_ahead()") == 4
    assert value(database, "select make_chunks_ahead()") == 0
    insert_meanwhile()
    assert value(database, "select count(*)::int from event") == 2
    ahead = "select max(c.range_end) - now() from timescaledb_information.chunks c where hypertable_name = %s"
    for table in ("event", "usage"):
        assert value(database, ahead, (table,)).days >= 7


def test_two_that_make_chunks_ahead_make_them_once(database: str) -> None:
    chunks_of_a_day(database)
    with psycopg.connect(database) as first, psycopg.connect(database) as second:
        first.execute("select make_chunks_ahead()")
        with pytest.raises(errors.LockNotAvailable):
            second.execute("select make_chunks_ahead()")
    assert value(database, "select make_chunks_ahead()") == 0
    assert value(database, "select count(*)::int from usage") == 0


async def test_units_and_people_do_not_wait_for_an_old_chunk(database: str, pool: Pool) -> None:
    """As while `nodeunit migrate` merges old chunks: it alone has them."""
    with psycopg.connect(database) as superuser:
        superuser.execute(
            "insert into event (recorded_at, stream_id, stream_version, type) "
            "select now() - n * interval '40 days', 'log', 10 - n, 'Something' from generate_series(1, 2) n"
        )
    finder, lost = await deciding(pool, "unit-1"), await deciding(pool, "unit-2", policy="none")
    with psycopg.connect(database) as merging:
        for row in rows(database, "select chunk::text as name from chunks_before('event', now())"):
            merging.execute(sql.SQL("lock table {} in access exclusive mode").format(sql.SQL(row["name"])))
        async with asyncio.timeout(20):
            await asyncio.to_thread(insert_deployments, database, 2)
            await finder.sample(1.0, 1.0)
            assert await claim_all([finder]) == 2
            await lose(pool, database, finder.unit, lost.address)
            (held, _) = await unit_reads.programs_of(pool, finder.address)
            await finder.release(held.id)
            await asyncio.to_thread(rows, database, "delete from deployment")
            await finder.unit.begin_draining()
            await finder.unit.leave()
        merging.rollback()
