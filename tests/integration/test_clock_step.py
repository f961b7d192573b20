"""The database's clock is set back, by hand or by a failover: the order of versions counts, not that of times."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta

import psycopg
import pytest

from nodeunit.audit import why
from nodeunit.audit.replay import at_moment, fold
from nodeunit.audit.source import LiveLog
from nodeunit.store.postgres import connections
from nodeunit.store.postgres.connections import Connection, Pool
from nodeunit.store.read import event_log, projections
from nodeunit.store.read.event_log import EventFilter
from tests.support import members
from tests.support.databases import Databases
from tests.support.members import lose
from tests.support.rounds import claim_all, deciding
from tests.support.rows import deployment, insert_deployments, rows, value

SET_BACK = timedelta(hours=2)


@pytest.fixture(params=["timescale_databases", "plain_databases"])
def database(request: pytest.FixtureRequest) -> Iterator[str]:
    databases: Databases = request.getfixturevalue(request.param)
    with databases.fresh() as conninfo:
        yield conninfo


@pytest.fixture
async def pool(database: str) -> AsyncIterator[Pool]:
    async with connections.pool(database, "test") as opened:
        yield opened


def set_clock_back(conninfo: str, after: int) -> None:
    """Turns the times of the events after a position into those of a clock that was set back before them."""
    with psycopg.connect(conninfo) as connection:
        connection.execute("set session_replication_role = replica")  # the log refuses to be rewritten otherwise
        connection.execute(
            "create temp table later on commit drop as select * from event where position > %s", (after,)
        )
        connection.execute("delete from event where position > %s", (after,))
        connection.execute("update later set recorded_at = recorded_at - %s", (SET_BACK,))
        connection.execute("insert into event overriding system value select * from later")


async def opened(conninfo: str) -> Connection:
    return await event_log.open_log(conninfo, "test")


async def test_a_holder_is_the_same_in_the_log_and_in_the_table(database: str, pool: Pool) -> None:
    units = [await deciding(pool, "unit-a", policy="deployment_count"), await deciding(pool, "unit-b")]
    (row,) = insert_deployments(database, 1)
    await claim_all(units)
    last_before = value(database, "select max(position) from event")
    await lose(pool, database, units[1].unit, units[0].address)
    await units[1].look()
    set_clock_back(database, last_before)
    table = deployment(database, row)
    assert (table["address"], table["address_version"]) == ("unit-b", 3)
    times = [
        each["recorded_at"]
        for each in rows(
            database, "select recorded_at from event where stream_id like 'assignment-%%' order by position"
        )
    ]
    assert times[0] > times[1], "the clock was not set back: this run shows nothing"

    async with await opened(database) as connection:
        now = await at_moment(connection)
        (held,) = now.deployments
        assert (held.address, held.address_version) == ("unit-b", 3)
        assert now == await fold(LiveLog(database))
        then = await at_moment(connection, times[0])
        assert then.deployments == now.deployments
        assert then == await fold(LiveLog(database, EventFilter(at=times[0])), times[0])
        answer = await why.explain(connection, str(row))
    assert (answer.state, answer.holder, answer.version) == ("held", "unit-b", 3)
    assert answer.because[-1] == "before, unit-a was lost"
    differences = await projections.verify(database)
    assert [each for each in differences if each.projection == "deployment_address"] == []


async def test_a_row_that_was_released_after_the_step_waits(database: str, pool: Pool) -> None:
    unit = await deciding(pool, "unit-a")
    (row,) = insert_deployments(database, 1)
    await claim_all([unit])
    last_before = value(database, "select max(position) from event")
    await asyncio.to_thread(rows, database, "update deployment set address = '' where id = %s", (row,))
    set_clock_back(database, last_before)
    assert deployment(database, row)["address"] == ""

    async with await opened(database) as connection:
        (found,) = (await at_moment(connection)).deployments
        assert (found.address, found.address_version) == ("", 2)
        answer = await why.explain(connection, str(row))
    assert answer.state == "waiting"
    assert "had it taken away by hand" in answer.because[-1]


async def test_units_are_the_same_in_both_folds_whenever_the_clock_was_set_back(database: str, pool: Pool) -> None:
    """A clock that was set back before a join makes a time before it, at which the log has the end of a unit only."""
    other = await members.join(pool, "unit-b")
    unit = await members.join(pool, "unit-a", policy="none", custom_command=True)
    rows(database, "select drain_unit('unit-a', interval '1 hour')")
    await unit.end_drain()
    await lose(pool, database, other, "unit-a")
    unit = await members.join(pool, "unit-a")
    rows(database, "select uncordon_unit('unit-a')")
    await unit.leave()
    positions = [row["position"] for row in rows(database, "select position from event order by position")]
    different = []
    for last_before in reversed(positions[1:-1:2]):
        set_clock_back(database, last_before)
        times = [row["at"] for row in rows(database, "select distinct recorded_at as at from event order by 1")]
        async with await opened(database) as connection:
            for at in times:
                folded = await fold(LiveLog(database, EventFilter(at=at)), at)
                if (found := await at_moment(connection, at)) != folded:
                    different.append((last_before, at, found.units, folded.units))
    assert different == []
