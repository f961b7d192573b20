"""Leases of units that are gone do not pile up, and what those units did is still known."""

from nodeunit.audit import invariants
from nodeunit.store.postgres.connections import Pool
from nodeunit.store.read import event_log, lookup, projections
from nodeunit.store.read.report import snapshot
from nodeunit.store.write import unit_reads
from tests.support.members import join, lose
from tests.support.rows import deployment, insert_deployments, rows, value


async def test_dead_leases_are_removed_after_a_day(database: str, pool: Pool) -> None:
    finder = await join(pool, "unit-1")
    for address in ("long-gone", "with-a-row", "just-gone"):
        await join(pool, address)
    (held,) = insert_deployments(database, address="with-a-row")
    for address in ("long-gone", "with-a-row", "just-gone"):
        await lose(pool, database, finder, address)
    rows(
        database,
        "update lease set renewed_at = renewed_at - interval '2 days', expires_at = expires_at - interval '2 days' "
        "where address in ('long-gone', 'with-a-row')",
    )
    await join(pool, "unit-2")
    assert [row["address"] for row in rows(database, "select address from lease order by 1")] == [
        "just-gone", "unit-1", "unit-2", "with-a-row",
    ]  # fmt: skip
    (seen,) = (await unit_reads.round_inputs(pool, 8)).candidates
    assert (seen.id, seen.holder) == (held, "with-a-row")
    async with await event_log.open_log(database, "test") as connection:
        assert (await lookup.find_unit(connection, "long-gone")).membership == "lost"
    assert await projections.verify(database) == []
    async with snapshot(database) as log:
        assert [one for one in await invariants.check(log) if one.violations] == []


async def test_a_unit_without_a_lease_may_be_named_and_may_come_back(database: str, pool: Pool) -> None:
    finder = await join(pool, "unit-1")
    await join(pool, "gone")
    await lose(pool, database, finder, "gone")
    rows(database, "update lease set renewed_at = renewed_at - interval '2 days' where address = 'gone'")
    await join(pool, "unit-2")
    assert value(database, "select count(*) from lease where address = 'gone'") == 0
    (one,) = insert_deployments(database, address="gone")
    (seen,) = (await unit_reads.round_inputs(pool, 8)).candidates
    assert (seen.id, seen.holder) == (one, "gone")
    assert (await join(pool, "gone")).epoch == 3
    assert (await unit_reads.round_inputs(pool, 8)).candidates == ()
    assert deployment(database, one)["address"] == "gone"


async def test_of_units_of_one_name_that_are_gone_the_last_is_meant(database: str, pool: Pool) -> None:
    finder = await join(pool, "finder")
    for address in ("b-first", "a-second"):
        unit = await join(pool, address)
        rows(database, "update unit set name = 'web' where address = %s", (address,))
        async with await event_log.open_log(database, "test") as connection:
            assert (await lookup.find_unit(connection, "web")).address == address
        await unit.leave()
    async with await event_log.open_log(database, "test") as connection:
        assert (await lookup.find_unit(connection, "web")).address == "a-second"
    assert not (await finder.heartbeat(None, [])).fenced


async def test_many_dead_leases_go_at_once(database: str, pool: Pool) -> None:
    rows(
        database,
        "insert into lease (address, supervisor, renewed_at, expires_at, inactive_at) "
        "select 'gone-' || n, gen_random_uuid(), now() - interval '2 days', now() - interval '1 day', now() "
        "from generate_series(1, 9000) n",
    )
    await join(pool, "unit-1")
    assert value(database, "select count(*) from lease") == 1
