"""The reader of the log, while others write, roll back, and leave transactions open: nothing skipped, nothing twice.

This is what every command reads with: `LiveLog`, and below it `store.read.event_log`.
"""

import asyncio
import random
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing
from uuid import UUID

import psycopg
import pytest

from nodeunit.audit import replay, source
from nodeunit.audit.source import LiveLog
from nodeunit.domain.events import DeploymentClaimSkipped, DeploymentCreated, Unknown
from nodeunit.errors import EventUndecodable
from nodeunit.store.postgres.connections import Pool
from nodeunit.store.read import event_log
from nodeunit.store.read.event_log import BEGINNING, EVERYTHING, Checkpoint, EventFilter, RecordedEvent
from nodeunit.store.write.decisions import DecisionStream
from nodeunit.store.write.membership import Membership
from tests.support.databases import Databases
from tests.support.logs import whole_log
from tests.support.members import join
from tests.support.rows import insert_deployments, rows
from tests.support.waiting import eventually, turns_of_the_loop
from tools import synthetic_log

WRITERS = 16
ROUNDS = 40
APPEND = (
    "select append_decisions(%s, %s, %s, (select jsonb_agg(jsonb_build_object('event_id', gen_random_uuid(), "
    "'type', 'DeploymentClaimSkipped', 'data', '{\"reason\": \"no_candidate\"}'::jsonb)) "
    "from generate_series(1, %s)))"
)


@pytest.fixture(params=["timescale_databases", "plain_databases"])
def any_database(request: pytest.FixtureRequest) -> Iterator[str]:
    databases: Databases = request.getfixturevalue(request.param)
    with databases.fresh() as conninfo:
        yield conninfo


async def test_it_reads_on_from_a_checkpoint(database: str, pool: Pool) -> None:
    insert_deployments(database, 7)
    stream = DecisionStream(await join(pool, "unit-1"))
    await stream.append(DeploymentClaimSkipped("no_candidate"))
    everything = await whole_log(database)
    assert [each.type for each in everything] == ["DeploymentCreated"] * 7 + ["UnitJoined", "DeploymentClaimSkipped"]
    created, skipped = everything[0].event(), everything[-1].event()
    assert isinstance(created, DeploymentCreated)
    assert created.package_name == "@yuants/app"
    assert skipped == DeploymentClaimSkipped("no_candidate")
    async with await event_log.open_log(database, "test") as connection:
        below = await event_log.high_water_mark(connection)
        for limit in (1, 2, 5, 100):
            after: Checkpoint = BEGINNING
            pages: list[RecordedEvent] = []
            while page := await event_log.read(connection, EVERYTHING, below, after, limit):
                assert len(page) <= limit
                pages += page
                after = page[-1].checkpoint()
            assert pages == everything
        after = everything[3].checkpoint()
        assert [each async for each in event_log.stream(connection, EVERYTHING, below, after)] == everything[4:]


async def test_a_filter_means_the_same_in_sql_and_in_python(any_database: str) -> None:
    synthetic_log.load(any_database, events=2000, units=3, deployments=20, days=3)
    everything = await whole_log(any_database)
    some = everything[len(everything) // 2]
    claim = next(each for each in everything if each.type == "DeploymentClaimed")
    for wanted in (
        EventFilter(since=some.recorded_at),
        EventFilter(until=some.recorded_at),
        EventFilter(at=some.recorded_at),
        EventFilter(position=some.position),
        EventFilter(types=["DeploymentClaimed", "UnitJoined"]),
        EventFilter(without=["DeploymentClaimed", "UnitJoined"], since=some.recorded_at),
        EventFilter(deployment_id=claim.deployment_id),
        EventFilter(unit_address=claim.unit_address, until=some.recorded_at),
    ):
        found = await whole_log(any_database, wanted)
        assert found == [each for each in everything if wanted.matches(each)]
        assert 0 < len(found) < len(everything), wanted


async def test_an_event_that_is_not_known_passes_through(any_database: str) -> None:
    rows(
        any_database,
        "insert into event (stream_id, stream_version, type, schema_version, data) values "
        """(E'x\\\\t\\t\\n-1', 1, 'Deployment"Promoted\\', 1, '{"to": "é\\n\\\\"}'), """
        """('x-1', 2, 'DeploymentDeleted', 2, '{"a": [1]}')""",
    )
    first, second = await whole_log(any_database)
    assert first.event() == Unknown('Deployment"Promoted\\', {"to": "é\n\\"})
    assert first.stream_id == "x\\t\t\n-1"
    assert second.event() == Unknown("DeploymentDeleted", {"a": [1]})
    assert (second.stream_version, second.schema_version) == (2, 2)


async def test_an_event_of_the_wrong_shape_is_named(any_database: str) -> None:
    rows(any_database, "insert into event (stream_id, stream_version, type) values ('x-1', 1, 'DeploymentClaimed')")
    with pytest.raises(EventUndecodable, match="DeploymentClaimed"):
        await replay.fold(LiveLog(any_database))


async def test_what_is_still_being_written_is_not_read_past(any_database: str) -> None:
    insert_deployments(any_database)
    with psycopg.connect(any_database) as early:
        early.execute("insert into event (stream_id, stream_version, type) values ('early', 1, 'Early')")
        rows(any_database, "insert into event (stream_id, stream_version, type) values ('late', 1, 'Late')")
        assert [each.type for each in await whole_log(any_database)] == ["DeploymentCreated"]
        early.commit()
    assert [each.type for each in await whole_log(any_database)] == ["DeploymentCreated", "Early", "Late"]


async def test_a_reader_that_is_cancelled_leaves_nothing_open(database: str) -> None:
    insert_deployments(database, 3000)
    begun = asyncio.Event()

    async def read() -> None:
        async with aclosing(aiter(LiveLog(database))) as events:
            async for _ in events:
                begun.set()
                await turns_of_the_loop(1)

    task = asyncio.create_task(read())
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await eventually(
        lambda: not rows(database, "select from pg_stat_activity where application_name = 'nodeunit replay'"),
        what="its connection is closed",
    )


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


async def follow(database: str, batch: int, seen: list[RecordedEvent]) -> None:
    async with aclosing(aiter(LiveLog(database, follow=True, batch=batch))) as events:
        async for event in events:
            seen.append(event)  # noqa: PERF401 - it never ends


async def test_followers_miss_nothing_and_see_nothing_twice(
    database: str, pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(source, "POLL_INTERVAL_S", 0.001)
    units = [await join(pool, f"unit-{n}") for n in range(WRITERS)]
    begin = threading.Barrier(WRITERS, timeout=20)
    seen: list[list[RecordedEvent]] = [[], [], []]

    async with asyncio.TaskGroup() as tasks:
        following = [
            tasks.create_task(follow(database, batch, found)) for batch, found in zip((1, 17, 1000), seen, strict=True)
        ]
        with ThreadPoolExecutor(WRITERS) as executor, psycopg.connect(database) as left_open:
            left_open.execute("insert into event (stream_id, stream_version, type) values ('open', 1, 'LeftOpen')")
            xid = value_of(left_open, "select pg_current_xact_id()::text::bigint")
            writing = [asyncio.wrap_future(executor.submit(write, database, unit, begin)) for unit in units]
            committed = sum(await asyncio.gather(*writing))
            visible = await whole_log(database)
            assert visible
            for found in (visible, *seen):
                assert all(each.transaction_id < xid for each in found), "read past a transaction that is still open"
            left_open.commit()
        expected = {each["event_id"] for each in rows(database, "select event_id from event")}
        assert len(expected) == committed + WRITERS + 1
        await eventually(lambda: all(len(found) >= len(expected) for found in seen), what="all followers are through")
        rows(database, "insert into event (stream_id, stream_version, type) values ('end', 1, 'End')")
        await eventually(lambda: all(found[-1].type == "End" for found in seen), what="and nothing came twice")
        for task in following:
            task.cancel()

    for found in seen:
        end = found.pop()
        assert end.type == "End"
        order = [each.checkpoint() for each in found]
        assert order == sorted(set(order))
        assert {each.event_id for each in found} == expected
        assert_streams_in_order(found)
    taken = [
        each["position"] for each in rows(database, "select position from event order by transaction_id, position")
    ]
    assert taken != sorted(taken), "the positions came in the order of commits: this run shows nothing"


def value_of(connection: psycopg.Connection, statement: str) -> int:
    row = connection.execute(statement).fetchone()
    assert row is not None
    return int(row[0])


def assert_streams_in_order(seen: list[RecordedEvent]) -> None:
    last: dict[str, int] = {}
    ids: set[UUID] = set()
    for event in seen:
        assert event.stream_version == last.get(event.stream_id, 0) + 1, f"{event.stream_id} is out of order"
        last[event.stream_id] = event.stream_version
        assert event.event_id not in ids
        ids.add(event.event_id)
