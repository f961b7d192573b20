"""Who is lost, when it is found out, and who is only passed over."""

from datetime import UTC, datetime, timedelta

import pytest

from nodeunit.errors import StaleEpoch
from nodeunit.store.postgres.connections import Pool
from nodeunit.store.write import unit_reads
from tests.support.members import join, turn_back_leases
from tests.support.rows import rows, value


async def active(pool: Pool) -> list[str]:
    return [unit.address for unit in (await unit_reads.round_inputs(pool, 1)).units]


async def test_a_heartbeat_tells_when_the_next_lease_of_another_would_end(database: str, pool: Pool) -> None:
    one = await join(pool, "unit-1", lease_ttl_s=60)
    await join(pool, "unit-2", lease_ttl_s=20)
    gone = await join(pool, "unit-3", lease_ttl_s=10)
    await gone.leave()
    answer = await one.heartbeat(None, [])
    assert answer.expires_s == pytest.approx(20, abs=1)


async def test_a_lease_that_has_run_out_is_no_moment_to_wait_for(database: str, pool: Pool) -> None:
    one = await join(pool, "unit-1", lease_ttl_s=60)
    await join(pool, "unit-2", lease_ttl_s=20)
    turn_back_leases(database, "unit-2")
    answer = await one.heartbeat(None, [])
    assert (answer.expired, answer.expires_s) == (["unit-2"], None)


async def test_nobody_is_declared_lost_by_who_stood_still_with_the_server(database: str, pool: Pool) -> None:
    """The heartbeat saw the lease run out, and then the whole server was frozen for a while."""
    one = await join(pool, "unit-1", lease_ttl_s=60)
    await join(pool, "unit-2", lease_ttl_s=60)
    turn_back_leases(database)
    assert not await one.declare_lost(["unit-2"])
    await one.heartbeat(None, [])
    assert not await one.declare_lost(["unit-2"])  # its lease counts anew


async def test_who_does_not_answer_is_left_out_until_it_does(database: str, pool: Pool) -> None:
    one, two = await join(pool, "unit-1"), await join(pool, "unit-2")
    probed_at = await one.probe(["unit-2"])
    assert await one.suspect(["unit-2"], probed_at)
    assert await active(pool) == ["unit-1"]
    assert not await one.suspect(["unit-2"], probed_at), "once is enough"
    await two.heartbeat(None, [])
    assert await active(pool) == ["unit-1", "unit-2"]


async def test_who_answers_is_waited_for(database: str, pool: Pool) -> None:
    one, two = await join(pool, "unit-1"), await join(pool, "unit-2")
    probed_at = await one.probe(["unit-2"])
    await two.heartbeat(None, [])
    assert not await one.suspect(["unit-2"], probed_at)
    assert await active(pool) == ["unit-1", "unit-2"]


async def test_who_is_left_out_keeps_lease_and_rows(database: str, pool: Pool) -> None:
    one = await join(pool, "unit-1")
    await join(pool, "unit-2")
    expires_at = value(database, "select expires_at from lease where address = 'unit-2'")
    await one.suspect(["unit-2"], datetime.now(UTC) + timedelta(hours=1))
    assert value(database, "select expires_at from lease where address = 'unit-2'") == expires_at
    assert not await one.declare_lost(["unit-2"])


async def test_a_stale_epoch_doubts_nobody(database: str, pool: Pool) -> None:
    one = await join(pool, "unit-1")
    await join(pool, "unit-2")
    rows(database, "update lease set epoch = epoch + 1 where address = 'unit-1'")
    with pytest.raises(StaleEpoch):
        await one.suspect(["unit-2"], datetime.now(UTC) + timedelta(hours=1))
