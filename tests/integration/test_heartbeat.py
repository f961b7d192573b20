"""What a heartbeat stores and answers, without an effect on other units."""

import asyncio
from collections.abc import Mapping
from typing import cast
from uuid import uuid4

import psycopg
import pytest

from nodeunit.daemon.disk_sampler import DiskSampler
from nodeunit.daemon.heartbeat import Heartbeat
from nodeunit.daemon.outbox import Outbox
from nodeunit.daemon.reconciler import Reconciler
from nodeunit.daemon.spawn_request import SpawnRequestBuilder
from nodeunit.daemon.supervisor_link import SupervisorLink
from nodeunit.domain.can_run import Ability
from nodeunit.domain.policy import NOTHING, Usage
from nodeunit.domain.restart import RestartRule
from nodeunit.process.sampler import Sample, Sampler
from nodeunit.store.postgres import connections
from nodeunit.store.postgres.connections import Pool
from nodeunit.store.write import membership, unit_reads
from nodeunit.store.write.decisions import DecisionStream
from nodeunit.store.write.membership import DiskSample, HeartbeatAnswer, ProgramSample
from tests.support.members import candidate, claim, join, lose, turn_back_leases
from tests.support.rows import insert_deployments, rows, value


async def test_a_heartbeat_with_nothing_to_tell(database: str, pool: Pool) -> None:
    unit = await join(pool, "unit-1")
    answer = await unit.heartbeat(None, [])
    assert (answer.fenced, answer.expired, answer.waiting, answer.drain_s, answer.wake_up) == (
        False,
        [],
        False,
        None,
        0,
    )


async def test_it_renews_the_lease(database: str, pool: Pool) -> None:
    unit = await join(pool, "unit-1", lease_ttl_s=30)
    rows(database, "update lease set expires_at = renewed_at + interval '1 ms', inactive_at = renewed_at")
    await unit.heartbeat(None, [])
    lease = await membership.lease_of(pool, "unit-1")
    assert lease is not None
    assert 29 < lease.left_s <= 30
    assert value(database, "select inactive_at - renewed_at = interval '15 s' from lease")


async def test_it_stores_the_samples(database: str, pool: Pool) -> None:
    unit = await join(pool, "unit-1")
    one, other = insert_deployments(database, 2, address="unit-1")
    rows(database, "insert into deployment (type) values ('daemon')")
    (daemon,) = [each.id for each in await unit_reads.programs_of(pool, "unit-1") if each.type == "daemon"]
    samples = [
        ProgramSample(one, 1, 1.5, 100.0),
        ProgramSample(other, 1, 0.0, 50.0),
        ProgramSample(daemon, 0, 2.0, 8.0),
    ]
    await unit.heartbeat(Usage(4.5, 200.0), samples)
    stored = rows(
        database,
        "select deployment_id, cpu_percent, memory_mb, unit_address from usage order by deployment_id nulls first",
    )
    assert [(each["cpu_percent"], each["memory_mb"]) for each in stored if each["deployment_id"] is None] == [
        (4.5, 200)
    ]
    assert {each["deployment_id"] for each in stored} == {None, one, other, daemon}
    assert {each["unit_address"] for each in stored} == {"unit-1"}
    assert value(database, "select count(distinct recorded_at) from usage") == 1
    current = rows(database, "select deployment_id, claim_version, cpu_percent from current_usage order by 1")
    assert [tuple(each.values()) for each in current] == [(one, 1, 1.5), (other, 1, 0.0)]


async def test_without_a_measurement_the_last_one_stands(database: str, pool: Pool) -> None:
    unit = await join(pool, "unit-1")
    assert (await unit_reads.round_inputs(pool, 1)).units[0].measured is None
    await unit.heartbeat(Usage(4.5, 200.0), [])
    await unit.heartbeat(None, [])
    assert (await unit_reads.round_inputs(pool, 1)).units[0].measured == Usage(4.5, 200.0)
    assert value(database, "select count(*) from usage") == 1
    turn_back_leases(database, "unit-1")
    await join(pool, "unit-1")
    assert (await unit_reads.round_inputs(pool, 1)).units[0].measured is None


async def test_a_reservation_ends_with_the_first_sample_of_the_claim(database: str, pool: Pool) -> None:
    unit = await join(pool, "unit-1")
    stream = DecisionStream(unit)
    (one,) = insert_deployments(database)
    assert await claim(stream, "unit-1", candidate(database, one))

    async def reserved() -> Usage:
        return (await unit_reads.round_inputs(pool, 1)).units[0].reserved

    assert await reserved() == Usage(1.0, 64.0)
    await unit.heartbeat(Usage(5.0, 100.0), [ProgramSample(one, 1, 3.0, 90.0)])
    assert await reserved() == Usage(0.0, 0.0)
    # another one of the package: what the measured ones use
    (other,) = insert_deployments(database)
    assert await claim(stream, "unit-1", candidate(database, other))
    assert await reserved() == Usage(3.0, 90.0)
    # and claimed anew it is a reservation again, whatever an older sample said
    (held, *_) = [each for each in await unit_reads.programs_of(pool, "unit-1") if each.id == one]
    assert await unit.release(held, "drained")
    assert await claim(stream, "unit-1", candidate(database, one))
    assert await reserved() == Usage(6.0, 180.0)
    rows(database, "update deployment set enabled = false")
    assert await reserved() == Usage(0.0, 0.0)


async def test_a_late_sample_of_an_earlier_claim_does_not_replace_a_newer_one(database: str, pool: Pool) -> None:
    early, late = await join(pool, "unit-1"), await join(pool, "unit-2")
    (one,) = insert_deployments(database, address="unit-1")
    rows(database, "update deployment set address = 'unit-2'")
    await late.heartbeat(None, [ProgramSample(one, 3, 7.0, 7.0)])
    await early.heartbeat(None, [ProgramSample(one, 1, 1.0, 1.0)])
    assert value(database, "select cpu_percent from current_usage") == 7.0
    await late.heartbeat(None, [ProgramSample(one, 3, 8.0, 8.0)])
    assert value(database, "select cpu_percent from current_usage") == 8.0


async def test_a_sample_of_a_deleted_row_is_kept_as_history_only(database: str, pool: Pool) -> None:
    unit = await join(pool, "unit-1")
    (one,) = insert_deployments(database, address="unit-1")
    await unit.heartbeat(None, [ProgramSample(one, 1, 1.0, 1.0)])
    rows(database, "delete from deployment")
    assert value(database, "select count(*) from current_usage") == 0
    await unit.heartbeat(None, [ProgramSample(one, 1, 1.0, 1.0)])
    assert value(database, "select count(*) from current_usage") == 0
    assert value(database, "select count(*) from usage") == 2


async def test_a_fenced_unit_is_told_and_stores_nothing(database: str, pool: Pool) -> None:
    unit = await join(pool, "unit-1")
    finder = await join(pool, "unit-2")
    (one,) = insert_deployments(database, address="unit-1")
    await lose(pool, database, finder, "unit-1")
    answer = await unit.heartbeat(Usage(1.0, 1.0), [ProgramSample(one, 1, 1.0, 1.0)])
    assert answer.fenced
    assert value(database, "select count(*) from usage") == 0
    assert await membership.lease_of(pool, "unit-1") is None


@pytest.mark.parametrize(
    ("statement", "waiting"),
    [
        ("insert into deployment default values", True),
        ("insert into deployment (enabled) values (false)", False),
        ("insert into deployment (type) values ('daemon')", False),
        ("insert into deployment (address) values ('unit-1')", False),
        ("insert into deployment (address) values ('lost')", True),
        ("insert into deployment (address, enabled) values ('lost', false)", False),
    ],
)
async def test_it_tells_whether_work_waits(database: str, pool: Pool, statement: str, waiting: bool) -> None:
    unit = await join(pool, "unit-1")
    await join(pool, "lost")
    await lose(pool, database, unit, "lost")
    rows(database, statement)
    assert (await unit.heartbeat(None, [])).waiting is waiting


async def test_it_tells_the_number_of_the_newest_notification(database: str, pool: Pool) -> None:
    unit = await join(pool, "unit-1")
    insert_deployments(database, 3)
    assert (await unit.heartbeat(None, [])).wake_up == 1
    await unit.notify("eligible", ["unit-1"])
    assert (await unit.heartbeat(None, [])).wake_up == 2


async def test_notifications_are_numbered_for_ever_and_a_thousand_are_kept(database: str, pool: Pool) -> None:
    rows(database, "select wake('eligible', '*') from generate_series(1, 3000)")
    assert value(database, "select max(number) from wake_up") == 3000
    assert value(database, "select count(*) from wake_up") <= 2000
    unit = await join(pool, "unit-1")
    assert (await unit.heartbeat(None, [])).wake_up == 3000


async def test_it_is_no_event_and_wakes_nobody(database: str, pool: Pool) -> None:
    unit = await join(pool, "unit-1")
    before = value(database, "select count(*) from event")
    with psycopg.connect(database, autocommit=True) as listening:
        listening.execute("listen nodeunit")
        await unit.heartbeat(Usage(1.0, 1.0), [])
        rows(database, "select pg_notify('nodeunit', 'the end')")
        assert [each.payload for each in listening.notifies(timeout=5, stop_after=1)] == ["the end"]
    assert value(database, "select count(*) from event") == before


class Settled(Sampler):
    """Has measured every program already."""

    def sample(self, programs: Mapping[str, tuple[int, int]]) -> Sample:
        return Sample(NOTHING, dict.fromkeys(programs, Usage(1.0, 1.0)))


class Counting(Reconciler):
    """Counts how often all that runs is listed."""

    lists = 0

    def processes(self) -> dict[str, tuple[int, int]]:
        self.lists += 1
        return super().processes()


async def test_a_heartbeat_lists_the_programs_once_however_many_there_are(database: str, pool: Pool) -> None:
    unit = await join(pool, "unit-1")
    keys = [str(uuid4()) for _ in range(200)]
    answered: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    spawn_requests = SpawnRequestBuilder("unit-1", Ability(".*", custom_command=True), grace_s=1.0)
    reconciler = Counting(cast(SupervisorLink, None), Outbox(), spawn_requests, RestartRule())  # which sends nothing
    meta = {"revision": 1, "claim_version": 7}
    programs = [{"key": key, "pid": 1, "start_time": 1, "meta": meta} for key in keys]
    reconciler.receive({"event": "hello", "supervisor": str(uuid4()), "programs": programs, "exits": []})

    no_disk = DiskSampler("", int)

    async def on_answer(answer: HeartbeatAnswer, sent_at: float) -> None:
        answered.set_result(None)

    beating = asyncio.create_task(Heartbeat(unit, 60.0, Settled(1), no_disk, reconciler, on_answer, print).run())
    await asyncio.wait([answered, beating], return_when=asyncio.FIRST_COMPLETED, timeout=10)
    beating.cancel()
    assert value(database, "select count(*) from usage where deployment_id is not null") == len(keys)
    assert reconciler.lists == 1


async def test_what_a_unit_uses_on_disk_is_in_its_samples(conninfo: str) -> None:
    async with connections.pool(conninfo, "unit") as pool:
        unit = await join(pool, "unit-1")
        (row,) = insert_deployments(conninfo, address="unit-1")
        await unit.heartbeat(Usage(1, 1), [ProgramSample(row, 1, 1, 1, 4096)], disk=DiskSample(8192, 10**12))
        await unit.heartbeat(Usage(1, 1), [ProgramSample(row, 1, 1, 1)])
        await unit.heartbeat(None, [ProgramSample(row, 1, 1, 1)], disk=DiskSample(1, 1))
    stored = rows(conninfo, "select deployment_id as row, log_bytes, install_bytes from usage order by recorded_at, 1")
    assert [(sample["row"], sample["log_bytes"], sample["install_bytes"]) for sample in stored] == [
        (row, 4096, None), (None, 8192, 10**12), (row, None, None), (None, None, None), (row, None, None),
    ]  # fmt: skip
