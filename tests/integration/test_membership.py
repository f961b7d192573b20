"""Joining, being lost, coming back and leaving: who is alive, by the database's clock alone."""

import asyncio
from datetime import timedelta
from uuid import uuid4

import pytest

from nodeunit.domain.events import DeploymentClaimSkipped
from nodeunit.errors import IdentityAlive, NodeunitError, StaleEpoch
from nodeunit.store.postgres.connections import Pool, connect
from nodeunit.store.read import projections
from nodeunit.store.write import membership, operators, unit_reads
from nodeunit.store.write.decisions import DecisionStream
from tests.support.members import join, lose, turn_back_leases
from tests.support.rows import insert_deployments, rows


def history(database: str, address: str) -> list[str]:
    """The types of a unit's membership stream; its versions have no gap."""
    found = rows(
        database,
        "select type, stream_version from event where stream_id = 'unit-' || %s order by stream_version",
        (address,),
    )
    assert [event["stream_version"] for event in found] == [*range(1, len(found) + 1)]
    return [event["type"].removeprefix("Unit") for event in found]


async def test_joining_takes_a_new_epoch_each_time(database: str, pool: Pool) -> None:
    supervisor = uuid4()
    first = await join(pool, "unit-1", supervisor=supervisor, policy="resource_usage")
    second = await join(pool, "unit-1", supervisor=supervisor)
    assert (first.epoch, second.epoch) == (1, 2)
    (unit,) = rows(database, "select * from unit")
    assert (unit["membership"], unit["epoch"], unit["policy"]) == ("present", 2, "deployment_count")
    joined = rows(database, "select data from event where type = 'UnitJoined' order by position")
    assert [(each["data"]["epoch"], each["data"]["succeeds"]) for each in joined] == [(1, None), (2, 1)]
    with pytest.raises(StaleEpoch):
        await first.leave()
    assert await projections.verify(database) == []


async def test_a_living_identity_is_refused(database: str, pool: Pool) -> None:
    await join(pool, "unit-1")
    with pytest.raises(IdentityAlive, match="NODE_UNIT_NAME"):
        await join(pool, "unit-1")
    lease = await membership.lease_of(pool, "unit-1")
    assert lease is not None
    assert 50 < lease.left_s <= 60
    assert history(database, "unit-1") == ["Joined"]


async def test_an_identity_is_free_when_its_lease_has_run_out(database: str, pool: Pool) -> None:
    await join(pool, "unit-1")
    await join(pool, "unit-2")
    turn_back_leases(database, "unit-1")
    again = await join(pool, "unit-1")
    assert again.epoch == 3
    assert history(database, "unit-1") == ["Joined", "Lost", "Joined"]
    assert await projections.verify(database) == []


async def test_of_many_that_join_under_one_identity_one_does(database: str, pool: Pool) -> None:
    results = await asyncio.gather(*(join(pool, "unit-1") for _ in range(16)), return_exceptions=True)
    assert sorted(type(each).__name__ for each in results) == ["IdentityAlive"] * 15 + ["Membership"]
    assert history(database, "unit-1") == ["Joined"]


async def test_a_lease_that_has_not_run_out_makes_nobody_lost(database: str, pool: Pool) -> None:
    finder = await join(pool, "unit-1")
    await join(pool, "unit-2")
    assert not await finder.declare_lost(["unit-2"])
    assert not await finder.declare_lost(["nobody"])
    assert (await finder.heartbeat(None, [])).expired == []
    assert history(database, "unit-2") == ["Joined"]


async def test_a_unit_is_lost_once_whoever_says_so(database: str, pool: Pool) -> None:
    finders = [await join(pool, f"finder-{n}") for n in range(32)]
    await join(pool, "unit-1")
    turn_back_leases(database, "unit-1")
    assert (await finders[0].heartbeat(None, [])).expired == ["unit-1"]
    said = await asyncio.gather(*(each.declare_lost(["unit-1"]) for each in finders))
    assert sorted(said) == [[]] * 31 + [["unit-1"]]
    assert history(database, "unit-1") == ["Joined", "Lost"]
    (lost,) = rows(database, "select data from event where type = 'UnitLost'")
    assert lost["data"]["by"] == finders[said.index(["unit-1"])].address
    assert (await finders[0].heartbeat(None, [])).expired == []


async def test_a_unit_whose_own_lease_is_over_declares_nobody_lost(database: str, pool: Pool) -> None:
    a, b = await join(pool, "unit-a"), await join(pool, "unit-b")
    await join(pool, "living")
    turn_back_leases(database, "unit-a", "unit-b")
    assert not await a.declare_lost(["unit-b"])
    assert not await b.declare_lost(["unit-a"])
    await a.heartbeat(None, [])
    assert await a.declare_lost(["unit-b"]) == ["unit-b"]


async def test_many_are_declared_lost_at_once(database: str, pool: Pool) -> None:
    finder = await join(pool, "finder")
    many = [f"unit-{n:03}" for n in range(200)]
    for address in many:
        await join(pool, address)
    turn_back_leases(database, *many)
    assert (await finder.heartbeat(None, [])).expired == many
    assert await finder.declare_lost(many) == many
    assert await finder.declare_lost(many) == []
    assert history(database, "unit-007") == ["Joined", "Lost"]
    assert await projections.verify(database) == []


async def test_a_unit_that_comes_back_keeps_what_nobody_took(database: str, pool: Pool) -> None:
    await join(pool, "unit-1")
    finder = await join(pool, "unit-2")
    insert_deployments(database, 2, address="unit-1")
    await lose(pool, database, finder, "unit-1")
    assert (await finder.heartbeat(None, [])).waiting
    again = await join(pool, "unit-1")
    assert not (await again.heartbeat(None, [])).waiting
    assert len(await unit_reads.programs_of(pool, "unit-1")) == 2
    assert history(database, "unit-1") == ["Joined", "Lost", "Joined"]


async def test_who_renews_in_time_is_not_lost(database: str, pool: Pool) -> None:
    """The finder saw the lease run out; the heartbeat came before its word."""
    finder, late = await join(pool, "unit-1"), await join(pool, "unit-2")
    turn_back_leases(database, "unit-2")
    assert (await finder.heartbeat(None, [])).expired == ["unit-2"]
    assert not (await late.heartbeat(None, [])).fenced
    assert not await finder.declare_lost(["unit-2"])


async def test_nobody_is_lost_for_a_silence_that_all_shared(database: str, pool: Pool) -> None:
    """An outage of the database: the first heartbeat after it finds every lease run out, and declares nobody lost."""
    units = [await join(pool, f"unit-{n}", lease_ttl_s=10) for n in range(3)]
    turn_back_leases(database)
    assert (await units[0].heartbeat(None, [])).expired == []
    assert not await units[0].declare_lost(["unit-1"])
    assert not (await units[1].heartbeat(None, [])).fenced
    # unit-2 is not heard of for a whole lease after the outage
    rows(database, "update fleet set leases_count_from = leases_count_from - interval '11 seconds'")
    assert (await units[0].heartbeat(None, [])).expired == ["unit-2"]
    assert await units[0].declare_lost(["unit-2"])


async def test_nobody_is_lost_when_the_first_word_after_an_outage_is_that_of_a_joining_unit(
    database: str, pool: Pool
) -> None:
    """A daemon that was restarted during the outage joins before the others send their next heartbeats."""
    await join(pool, "unit-1", lease_ttl_s=10)
    waiting = await join(pool, "unit-2", lease_ttl_s=10)
    turn_back_leases(database)
    newcomer = await join(pool, "unit-3", lease_ttl_s=10)
    assert (await newcomer.heartbeat(None, [])).expired == []
    assert not (await waiting.heartbeat(None, [])).fenced


async def test_a_short_silence_of_one_is_no_silence_of_all(database: str, pool: Pool) -> None:
    finder = await join(pool, "unit-1", lease_ttl_s=10)
    await join(pool, "unit-2", lease_ttl_s=10)
    turn_back_leases(database, "unit-2", by=timedelta(seconds=11))
    turn_back_leases(database, "unit-1", by=timedelta(seconds=4))
    assert (await finder.heartbeat(None, [])).expired == ["unit-2"]


async def test_a_quiet_unit_takes_no_part_in_rounds_and_keeps_its_rows(database: str, pool: Pool) -> None:
    await join(pool, "unit-1")
    other = await join(pool, "unit-2")
    insert_deployments(database, address="unit-1")
    rows(database, "update lease set inactive_at = clock_timestamp() where address = 'unit-1'")
    inputs = await unit_reads.round_inputs(pool, 64)
    assert [unit.address for unit in inputs.units] == ["unit-2"]
    assert inputs.candidates == ()
    assert not (await other.heartbeat(None, [])).waiting


async def test_leaving_in_order(database: str, pool: Pool) -> None:
    unit = await join(pool, "unit-1")
    other = await join(pool, "unit-2")
    insert_deployments(database, 2, address="unit-1")
    held = await unit_reads.programs_of(pool, "unit-1")
    await unit.begin_draining()
    assert [each.address for each in (await unit_reads.round_inputs(pool, 64)).units] == ["unit-2"]
    assert await unit.release(held[0], "drained")
    await unit.leave()
    assert history(database, "unit-1") == ["Joined", "Draining", "Left"]
    # what it could not give back in time is there for the others
    assert {each.holder for each in (await unit_reads.round_inputs(pool, 64)).candidates} == {"", "unit-1"}
    assert (await unit.heartbeat(None, [])).fenced
    assert not await other.declare_lost(["unit-1"])
    await join(pool, "unit-1")
    assert history(database, "unit-1") == ["Joined", "Draining", "Left", "Joined"]
    assert await projections.verify(database) == []


async def test_a_new_epoch_begins_a_new_stream_of_decisions(database: str, pool: Pool) -> None:
    supervisor = uuid4()
    first = DecisionStream(await join(pool, "unit-1", supervisor=supervisor))
    skipped = DeploymentClaimSkipped("no_candidate")
    await first.append(skipped)
    second = DecisionStream(await join(pool, "unit-1", supervisor=supervisor))
    await second.append(skipped)
    with pytest.raises(StaleEpoch):
        await first.append(skipped)
    streams = rows(database, "select distinct stream_id from event where stream_id like 'decision%' order by stream_id")
    assert [each["stream_id"] for each in streams] == ["decision-unit-1-1", "decision-unit-1-2"]


async def test_an_operator_cordons_and_drains_a_unit(database: str, pool: Pool) -> None:
    unit = await join(pool, "unit-1")
    rows(database, "select cordon_unit('unit-1')")
    assert (await unit_reads.round_inputs(pool, 64)).units == ()
    assert (await unit.heartbeat(None, [])).drain_s is None
    rows(database, "select drain_unit('unit-1', interval '1 minute')")
    drain_s = (await unit.heartbeat(None, [])).drain_s
    assert drain_s is not None
    assert 50 < drain_s <= 60
    await unit.end_drain()
    assert (await unit.heartbeat(None, [])).drain_s is None
    rows(database, "select uncordon_unit('unit-1')")
    assert len((await unit_reads.round_inputs(pool, 64)).units) == 1
    assert history(database, "unit-1") == ["Joined", "Cordoned", "DrainRequested", "Drained", "Uncordoned"]
    assert await projections.verify(database) == []


async def test_an_operator_is_told_of_an_address_that_is_not_in_the_fleet(database: str, pool: Pool) -> None:
    unit = await join(pool, "unit-1")
    await unit.leave()
    async with await connect(database, "operator") as connection:
        for address in ("unit-1", "nobody"):
            with pytest.raises(NodeunitError, match="no unit in the fleet"):
                await operators.cordon(connection, address)
