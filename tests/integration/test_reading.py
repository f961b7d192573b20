"""Followers of the log, while others write, roll back, and leave transactions open: nothing skipped, nothing twice."""

import asyncio
import random
import threading
from concurrent.futures import ThreadPoolExecutor
from uuid import UUID

import psycopg

from nodeunit.domain.events import DeploymentClaimSkipped, DeploymentCreated, Unknown
from nodeunit.store.postgres.connections import Pool
from nodeunit.store.read import log_reader
from nodeunit.store.read.log_reader import BEGINNING, Checkpoint, RecordedEvent
from nodeunit.store.write.decisions import DecisionStream
from nodeunit.store.write.membership import Membership
from tests.support.members import join
from tests.support.rows import insert_deployments, rows, value
from tests.support.waiting import eventually

WRITERS = 16
ROUNDS = 40
APPEND = (
    "select append_decisions(%s, %s, %s, (select jsonb_agg(jsonb_build_object('event_id', gen_random_uuid(), "
    "'type', 'DeploymentClaimSkipped', 'data', '{\"reason\": \"no_candidate\"}'::jsonb)) "
    "from generate_series(1, %s)))"
)


async def test_reads_on_from_a_checkpoint(database: str, pool: Pool) -> None:
    insert_deployments(database, 7)
    stream = DecisionStream(await join(pool, "unit-1"))
    await stream.append(DeploymentClaimSkipped("no_candidate"))
    everything = await log_reader.read(pool)
    assert [each.type for each in everything] == ["DeploymentCreated"] * 7 + ["UnitJoined", "DeploymentClaimSkipped"]
    created, skipped = everything[0].event(), everything[-1].event()
    assert isinstance(created, DeploymentCreated)
    assert created.package_name == "@yuants/app"
    assert skipped == DeploymentClaimSkipped("no_candidate")
    for limit in (1, 2, 5, 100):
        assert [each async for each in log_reader.read_all(pool, batch=limit)] == everything
        after: Checkpoint = BEGINNING
        pages: list[RecordedEvent] = []
        while page := await log_reader.read(pool, after, limit):
            assert len(page) <= limit
            pages += page
            after = page[-1].checkpoint()
        assert pages == everything


async def test_an_event_of_a_later_version_passes_through(database: str, pool: Pool) -> None:
    rows(
        database,
        "insert into event (stream_id, stream_version, type, schema_version, data) values "
        "('s', 1, 'SomethingNew', 1, '{\"a\": 1}'), ('s', 2, 'DeploymentDeleted', 2, '{\"b\": 2}')",
    )
    assert [each.event() for each in await log_reader.read(pool)] == [
        Unknown("SomethingNew", {"a": 1}),
        Unknown("DeploymentDeleted", {"b": 2}),
    ]


async def test_what_is_still_being_written_is_not_read_past(database: str, pool: Pool) -> None:
    insert_deployments(database)
    after = (await log_reader.read(pool))[-1].checkpoint()
    with psycopg.connect(database) as early:
        early.execute("insert into event (stream_id, stream_version, type) values ('early', 1, 'Early')")
        rows(database, "insert into event (stream_id, stream_version, type) values ('late', 1, 'Late')")
        assert await log_reader.read(pool, after) == []
        early.commit()
    assert [each.type for each in await log_reader.read(pool, after)] == ["Early", "Late"]


def write(database: str, unit: Membership, begin: threading.Barrier) -> int:
    """Appends in transactions that end in another order than they began, a fifth of them with a rollback. Returns how
    many events it committed."""
    choose = random.Random(unit.address)
    version = 0
    with psycopg.connect(database) as connection:
        begin.wait()
        for _ in range(ROUNDS):
            count = choose.randint(1, 3)
            connection.execute(APPEND, (unit.address, unit.epoch, version, count))
            if choose.random() < 0.5:
                connection.execute("select pg_sleep(%s)", (choose.random() / 200,))
            if choose.random() < 0.2:
                connection.rollback()
            else:
                connection.commit()
                version += count
    return version


async def follow(pool: Pool, limit: int, ended: asyncio.Event) -> list[RecordedEvent]:
    """Reads on until nothing new comes after the end."""
    seen: list[RecordedEvent] = []
    while True:
        last_look = ended.is_set()
        after = seen[-1].checkpoint() if seen else BEGINNING
        seen += [event async for event in log_reader.read_all(pool, after, limit)]
        if last_look:
            return seen
        await asyncio.sleep(0.001)


async def test_followers_miss_nothing_and_see_nothing_twice(database: str, pool: Pool) -> None:
    units = [await join(pool, f"unit-{n}") for n in range(WRITERS)]
    begin = threading.Barrier(WRITERS, timeout=20)
    ended = asyncio.Event()
    following = [asyncio.create_task(follow(pool, limit, ended)) for limit in (1, 17, 1000)]

    with ThreadPoolExecutor(WRITERS) as executor, psycopg.connect(database) as left_open:
        left_open.execute("insert into event (stream_id, stream_version, type) values ('open', 1, 'LeftOpen')")
        xid = value_of(left_open, "select pg_current_xact_id()::text::bigint")
        writing = [asyncio.wrap_future(executor.submit(write, database, unit, begin)) for unit in units]
        committed = sum(await asyncio.gather(*writing))
        visible = await log_reader.read(pool, limit=10_000)
        assert visible
        assert all(each.transaction_id < xid for each in visible), "read past a transaction that is still open"
        left_open.commit()
    await eventually(lambda: all_is_certain(database), what="the snapshot's xmin has passed every event")
    ended.set()

    expected = {each["event_id"] for each in rows(database, "select event_id from event")}
    assert len(expected) == committed + WRITERS + 1
    for seen in await asyncio.gather(*following):
        order = [(each.transaction_id, each.position) for each in seen]
        assert order == sorted(set(order))
        assert {each.event_id for each in seen} == expected
        assert_streams_in_order(seen)
    taken = [
        each["position"] for each in rows(database, "select position from event order by transaction_id, position")
    ]
    assert taken != sorted(taken), "the positions came in the order of commits: this run shows nothing"


def value_of(connection: psycopg.Connection, statement: str) -> int:
    row = connection.execute(statement).fetchone()
    assert row is not None
    return int(row[0])


def all_is_certain(database: str) -> bool:
    return bool(
        value(database, "select pg_snapshot_xmin(pg_current_snapshot()) > (select max(transaction_id) from event)")
    )


def assert_streams_in_order(seen: list[RecordedEvent]) -> None:
    last: dict[str, int] = {}
    ids: set[UUID] = set()
    for event in seen:
        assert event.stream_version == last.get(event.stream_id, 0) + 1, f"{event.stream_id} is out of order"
        last[event.stream_id] = event.stream_version
        assert event.event_id not in ids
        ids.add(event.event_id)
