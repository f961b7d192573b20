"""Following: what happens after the history, and after a time, arrives once and completely, in any order of commits."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from typing import Any

import psycopg
import pytest

from nodeunit.audit import source
from nodeunit.audit.source import LiveLog
from nodeunit.store.postgres.connections import Pool
from nodeunit.store.read import event_log
from nodeunit.store.read.event_log import EVERYTHING, EventFilter, RecordedEvent, TransactionSnapshot
from tests.support.proxy import Proxy
from tests.support.rounds import claim_all, deciding
from tests.support.rows import insert_deployments, rows, value
from tests.support.waiting import eventually


@pytest.fixture(autouse=True)
def poll_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source, "POLL_INTERVAL_S", 0.01)


@asynccontextmanager
async def following(
    conninfo: str, *, after: TransactionSnapshot | None = None, **wanted: Any
) -> AsyncIterator[list[RecordedEvent]]:
    """What a follower has read so far."""
    read: list[RecordedEvent] = []

    async def follow() -> None:
        async with aclosing(aiter(LiveLog(conninfo, EventFilter(**wanted), follow=True, after=after))) as events:
            async for event in events:
                read.append(event)  # noqa: PERF401 - it never ends

    async with asyncio.TaskGroup() as tasks:
        follower = tasks.create_task(follow())
        yield read
        follower.cancel()


def log_positions(conninfo: str) -> list[int]:
    return [row["position"] for row in rows(conninfo, "select position from event order by transaction_id, position")]


async def test_history_and_what_follows_are_one(database: str, pool: Pool) -> None:
    unit = await deciding(pool, "unit-a")
    insert_deployments(database, 3)
    async with following(database) as read:
        await eventually(lambda: len(read) == 4)
        await claim_all([unit])
        insert_deployments(database, 2)
        everything = value(database, "select count(*) from event")
        await eventually(lambda: len(read) >= everything)
    assert [event.position for event in read] == log_positions(database)


async def test_a_late_commit_is_not_passed_over(database: str) -> None:
    insert_deployments(database, 1)
    with psycopg.connect(database) as slow:
        slow.execute("insert into deployment (package_name) values ('@yuants/slow')")
        async with following(database) as read:
            await eventually(lambda: len(read) == 1)
            insert_deployments(database, 5)  # higher positions, committed first
            slow.commit()
            await eventually(lambda: len(read) == 7)
    assert [event.position for event in read] == log_positions(database)
    assert len({event.event_id for event in read}) == 7


async def test_what_was_rolled_back_never_comes(database: str) -> None:
    with psycopg.connect(database) as person:
        person.execute("insert into deployment (package_name) values ('@yuants/never')")
        async with following(database) as read:
            person.rollback()
            insert_deployments(database, 1)
            await eventually(lambda: len(read) == 1)
    assert "never" not in read[0].data


async def test_a_moment_and_what_comes_after_it(database: str, pool: Pool) -> None:
    """Transactions that were under way when the state was read are told afterwards; those that had ended are not."""
    unit = await deciding(pool, "unit-a")
    with psycopg.connect(database) as slow:
        slow.execute("insert into deployment (package_name) values ('@yuants/slow')")
        insert_deployments(database, 2)  # ended, though later
        async with (
            await event_log.open_log(database, "test") as connection,
            event_log.one_snapshot(connection) as snapshot,
        ):
            shown = {row.position async for row in event_log.stream(connection, EVERYTHING, 2**62)}
        async with following(database, after=snapshot) as read:
            slow.commit()
            await claim_all([unit])
            everything = value(database, "select count(*) from event")
            await eventually(lambda: len(shown) + len(read) >= everything)
    told = [event.position for event in read]
    assert shown.isdisjoint(told)
    assert sorted(shown | set(told)) == sorted(log_positions(database))
    assert any("slow" in event.data for event in read)


async def test_only_what_is_wanted(database: str, pool: Pool) -> None:
    unit = await deciding(pool, "unit-a")
    first, second = insert_deployments(database, 2)
    async with (
        following(database, deployment_id=first) as of_first,
        following(database, types=["DeploymentClaimed"]) as claims,
        following(database, without=["DeploymentClaimed"], deployment_id=second) as others,
    ):
        await claim_all([unit])
        rows(database, "update deployment set enabled = false")
        await eventually(lambda: any(event.type == "DeploymentDisabled" for event in of_first))
        await eventually(lambda: len(claims) == 2)
        await eventually(lambda: any(event.type == "DeploymentDisabled" for event in others))
    assert {event.deployment_id for event in of_first} == {first}
    assert {event.type for event in claims} == {"DeploymentClaimed"}
    assert {event.deployment_id for event in others} == {second}
    assert "DeploymentClaimed" not in {event.type for event in others}


async def test_a_lost_connection_loses_and_repeats_nothing(database: str, proxy: Proxy) -> None:
    insert_deployments(database, 1)
    async with following(proxy.conninfo) as read:
        await eventually(lambda: len(read) == 1)
        for _ in range(3):
            await proxy.cut()
            insert_deployments(database, 2)
            expected = value(database, "select count(*) from event")
            await eventually(lambda expected=expected: len(read) >= expected)  # type: ignore[misc]
    assert [event.position for event in read] == log_positions(database)


async def test_a_long_history_comes_in_batches(database: str) -> None:
    insert_deployments(database, 2500)
    async with following(database) as read:
        await eventually(lambda: len(read) == 2500)
        insert_deployments(database, 2500)
        await eventually(lambda: len(read) == 5000)
    assert [event.position for event in read] == log_positions(database)


async def test_who_stops_in_the_middle_leaves_nothing_open(database: str) -> None:
    insert_deployments(database, 1500)
    async with aclosing(aiter(LiveLog(database))) as events:
        async for _ in events:
            break
    left = (
        "select count(*) from pg_stat_activity where datname = current_database() and application_name like 'nodeunit%'"
    )
    await eventually(lambda: value(database, left) == 0)
