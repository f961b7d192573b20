"""A primary that waits for its standby, or was replaced: nothing that it alone has is acted upon."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager

import psycopg
import pytest
from psycopg.rows import DictRow

from nodeunit.domain.policy import Usage
from nodeunit.errors import DatabaseError
from nodeunit.store.postgres import connections
from nodeunit.store.postgres.connections import Pool, shut_down
from nodeunit.store.postgres.migrator import migrate
from nodeunit.store.postgres.primary import NewestTimeline
from nodeunit.store.postgres.queries import QUERIES
from nodeunit.store.write import membership
from nodeunit.store.write.decisions import Claim, DecisionStream
from nodeunit.store.write.membership import Membership
from tests.support.members import candidate, join, leading_up_to, turn_back_leases
from tests.support.rows import insert_deployments, rows, value
from tests.support.waiting import eventually
from tools.faults.server import Server, both, docker, pair

pytestmark = pytest.mark.container

Servers = tuple[Server, Server]


@pytest.fixture(scope="module")
def servers() -> Iterator[Servers]:
    """A primary and its synchronous standby; its database asks for less than units promise."""
    with pair() as (primary, standby):
        asyncio.run(migrate(primary.conninfo))
        rows(primary.conninfo, "alter database fleet set synchronous_commit = off")
        rows(primary.conninfo, "alter database fleet set client_min_messages = error")
        yield primary, standby


@pytest.fixture
async def pool(servers: Servers) -> AsyncIterator[Pool]:
    """On the primary alone."""
    async with connections.pool(servers[0].conninfo, "test", max_size=4) as opened:
        yield opened


@asynccontextmanager
async def a_standby_that_stands_still(servers: Servers) -> AsyncIterator[Callable[[], Awaitable[None]]]:
    """Yields what cancels the wait for it, once there is one, as a person may do."""
    primary, standby = servers
    async with await psycopg.AsyncConnection.connect(primary.conninfo, autocommit=True) as connection:

        async def cancel() -> bool:
            found = await connection.execute(
                "select pg_cancel_backend(pid) from pg_stat_activity "
                "where wait_event = 'SyncRep' and application_name = 'nodeunit test'"
            )
            return found.rowcount > 0

        docker("pause", standby.container)
        try:
            yield lambda: _until(cancel)
        finally:
            docker("unpause", standby.container)


async def _until(cancelled: Callable[[], Awaitable[bool]]) -> None:
    await eventually(cancelled, what="a commit waits for the standby")


Act = Callable[[Membership], Awaitable[object]]


ACTS: dict[str, Act] = {
    "heartbeat": lambda unit: unit.heartbeat(Usage(1.0, 1.0), []),
    "join": lambda unit: join(unit.pool, "another"),
    "declare_lost": lambda unit: unit.declare_lost([f"lost-to-{unit.address}"]),
    "leave": lambda unit: unit.leave(),
    "programs": lambda unit: unit.programs(),
}


@pytest.mark.parametrize("act", ACTS)
async def test_what_the_standby_may_not_have_counts_as_not_done(act: str, servers: Servers, pool: Pool) -> None:
    unit = await join(pool, f"unit-{act}")
    await join(pool, f"lost-to-{unit.address}", lease_ttl_s=5)
    turn_back_leases(servers[0].conninfo, f"lost-to-{unit.address}")
    insert_deployments(servers[0].conninfo, 1, address=unit.address)
    async with a_standby_that_stands_still(servers) as cancel:
        doing = asyncio.ensure_future(ACTS[act](unit))
        await cancel()
        with pytest.raises(DatabaseError, match="stopped waiting for its standby"):
            await doing


async def test_a_claim_that_the_standby_may_not_have_is_returned_when_it_has(servers: Servers, pool: Pool) -> None:
    unit = await join(pool, "claimant")
    (row,) = insert_deployments(servers[0].conninfo)
    wanted = candidate(servers[0].conninfo, row)
    async with a_standby_that_stands_still(servers) as cancel:
        claiming = asyncio.ensure_future(DecisionStream(unit).claim(Claim(wanted, leading_up_to("claimant", row))))
        await cancel()
        await cancel()  # of the look-up, which waits as well
        assert not claiming.done()
    (claimed,) = await claiming
    assert claimed.id == row


async def test_known_rows_are_read_without_waiting_for_the_standby(servers: Servers, pool: Pool) -> None:
    unit = await join(pool, "reader")
    insert_deployments(servers[0].conninfo, 1, address="reader")
    held = {(row.id, row.address_version) for row in await unit.programs()}
    async with a_standby_that_stands_still(servers):
        assert {(row.id, row.address_version) for row in await unit.programs(held)} == held


async def test_no_lease_expires_for_the_clock_of_another_server(database: str) -> None:
    async with connections.pool(database, "test") as pool:
        finder = await join(pool, "finder")
        await join(pool, "silent", lease_ttl_s=1)
        turn_back_leases(database, "silent")
        rows(database, "update fleet set timeline = timeline - 1, leases_count_from = '-infinity'")
        assert not await finder.declare_lost(["silent"]), "the first statement on a new primary"
        assert (await finder.heartbeat(None, [])).expired == []

        async def is_lost() -> bool:
            await finder.heartbeat(None, [])
            return bool(await finder.declare_lost(["silent"]))

        await eventually(is_lost, what="a whole lease later the unit is lost")


async def test_a_unit_that_is_alone_after_a_failover_joins_again(database: str) -> None:
    async with connections.pool(database, "test") as pool:
        await join(pool, "alone", lease_ttl_s=1)
        rows(database, "update fleet set timeline = timeline - 1")

        async def is_free() -> bool:
            await membership.lease_of(pool, "alone")
            return bool(value(database, "select lease_has_expired(l) from lease l"))

        await eventually(is_free, what="the lease of its dead predecessor has expired")
        await join(pool, "alone")


async def test_a_unit_that_has_reached_the_new_primary_leaves_the_old_one(servers: Servers) -> None:
    """The last test: it promotes the standby."""
    primary, standby = servers
    newest = NewestTimeline(shut_down)
    old, new = [
        await psycopg.AsyncConnection[DictRow].connect(
            server.conninfo, autocommit=True, row_factory=psycopg.rows.dict_row
        )
        for server in servers
    ]
    async with old, new:
        await newest.admit(old)
        await newest.admit(new)  # still a standby
        await asyncio.to_thread(standby.promote)
        await newest.admit(new)
        with pytest.raises(psycopg.OperationalError):
            await old.execute("select 1")
    async with connections.pool(both(primary, standby), "test") as pool:

        async def timeline() -> int | None:
            """That of the pool's next connection, which is closed afterwards; None for one that was shut down."""
            try:
                async with pool.connection() as connection:
                    row = await (await connection.execute(QUERIES["timeline"])).fetchone()
                    await connection.close()
            except psycopg.OperationalError:
                return None
            return None if row is None else int(row["timeline"])

        async def is_the_new_one() -> bool:
            return await timeline() == 2

        await eventually(is_the_new_one, what="both are tried, in an order of chance")
        found = [await timeline() for _ in range(12)]
        assert 1 not in found
        assert 2 in found
