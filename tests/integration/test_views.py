"""The views tell what happened: a small history whose numbers are known, on a hypertable and on ordinary tables."""

from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID, uuid4

import msgspec
import pytest

from nodeunit.domain.deployment import Deployment
from nodeunit.domain.program_events import ProcessExited, ProcessStarted
from nodeunit.store.postgres import connections
from nodeunit.store.postgres.connections import Pool
from nodeunit.store.write.decisions import DecisionStream
from tests.support.members import candidate, claim, join
from tests.support.rows import deployment, insert_deployments, rows, value


@pytest.fixture
async def pool(conninfo: str) -> AsyncIterator[Pool]:
    async with connections.pool(conninfo, "test", max_size=4) as opened:
        yield opened


async def test_claims(conninfo: str, pool: Pool) -> None:
    one, two = await join(pool, "address-1"), await join(pool, "address-2")
    first, second = DecisionStream(one), DecisionStream(two)
    a, b = insert_deployments(conninfo, 2)
    seen = candidate(conninfo, a)
    assert await claim(first, one.address, seen)
    assert not await claim(second, two.address, seen)
    assert await claim(second, two.address, candidate(conninfo, b))

    rounds = rows(conninfo, "select * from claim_round order by claimed_at")
    assert [(r["claimant"], r["deployment_id"], r["claim_version"], r["usage"]) for r in rounds] == [
        ("address-1", a, 1, {}), ("address-2", b, 1, {})
    ]  # fmt: skip
    (hour,) = rows(conninfo, "select claims, conflicts, not_eligible, no_candidate, units from claims_per_hour")
    assert hour == {"claims": 2, "conflicts": 1, "not_eligible": 0, "no_candidate": 0, "units": 2}
    (conflict,) = rows(conninfo, "select * from claim_conflict")
    assert (conflict["unit"], conflict["deployment_id"], conflict["winner"]) == ("address-2", a, "address-1")
    assert conflict["late_ms"] > 0
    waited = rows(conninfo, "select * from claim_latency")
    assert {(w["deployment_id"], w["claimant"], w["latency_ms"] > 0) for w in waited} == {
        (a, "address-1", True), (b, "address-2", True)
    }  # fmt: skip


async def test_a_row_that_waits_has_no_latency_yet(conninfo: str) -> None:
    (waiting,) = insert_deployments(conninfo)
    assert rows(conninfo, "select deployment_id, claimed_at, latency_ms, claimant from claim_latency") == [
        {"deployment_id": waiting, "claimed_at": None, "latency_ms": None, "claimant": None}
    ]


async def test_usage_in_a_round(conninfo: str) -> None:
    rows(
        conninfo,
        "insert into event (transaction_id, stream_id, stream_version, type, deployment_id, unit_address, data) "
        "values ('7', 'd', 1, 'DeploymentClaimAttempt', %(id)s, 'a', "
        '\'{"usage": {"a": {"cpuPercent": 0.15, "memoryMb": 140.92}, '
        '"b": {"cpuPercent": 0.16, "memoryMb": 141.91}}}\'), '
        "('7', 'x', 1, 'DeploymentClaimed', %(id)s, 'a', '{}')",
        {"id": uuid4()},
    )
    found = rows(conninfo, "select claimant, unit, cpu_percent, memory_mb from claim_round_usage order by unit")
    assert found == [
        {"claimant": "a", "unit": "a", "cpu_percent": 0.15, "memory_mb": 140.92},
        {"claimant": "a", "unit": "b", "cpu_percent": 0.16, "memory_mb": 141.91},
    ]


async def test_restarts_are_starts_of_the_same_claim_and_specification(conninfo: str, pool: Pool) -> None:
    unit = await join(pool, "address-1")
    stream = DecisionStream(unit)
    (a,) = insert_deployments(conninfo)
    assert await claim(stream, unit.address, candidate(conninfo, a))

    def started(pid: int, revision: int, claim_version: int) -> ProcessStarted:
        return ProcessStarted(a, pid, "1", revision, claim_version)

    def exited(pid: int) -> ProcessExited:
        return ProcessExited(a, pid, 1, None, 1.0, "exited", "")

    await stream.append(started(1, 1, 1), exited(1), started(2, 1, 1), exited(2), started(3, 1, 1))
    await stream.append(exited(3), started(4, 2, 1), exited(4), started(5, 2, 3))
    (day,) = rows(conninfo, "select deployment_id, package_name, unit, restarts from restarts_per_day")
    assert day == {"deployment_id": a, "package_name": "@yuants/app", "unit": "address-1", "restarts": 2}


async def test_time_without_an_owner(conninfo: str, pool: Pool) -> None:
    """Shares of the time, since nothing here takes long: what is held all the time has next to none."""
    unit = await join(pool, "address-1")
    stream = DecisionStream(unit)
    held, free, disabled, daemon = insert_deployments(conninfo, 4)
    rows(conninfo, "update deployment set enabled = false where id = %s", (disabled,))
    rows(conninfo, "update deployment set type = 'daemon' where id = %s", (daemon,))
    assert await claim(stream, unit.address, candidate(conninfo, held))

    def without(deployment_id: UUID) -> dict[str, Any]:
        (row,) = rows(conninfo, "select * from time_without_owner where deployment_id = %s", (deployment_id,))
        return row

    assert value(conninfo, "select count(*) from time_without_owner where deployment_id = %s", (daemon,)) == 0
    assert (without(free)["is_waiting"], without(free)["without_owner_percent"]) == (True, 100)
    assert (without(held)["is_waiting"], without(held)["without_owner_percent"] < 100) == (False, True)
    assert without(disabled)["wanted_s"] == without(disabled)["without_owner_s"] < without(free)["wanted_s"]
    before = without(held)["without_owner_s"]
    assert await unit.release(msgspec.convert(deployment(conninfo, held), Deployment), "drained")
    assert without(held)["without_owner_s"] > before


SAMPLES = """
    insert into usage (recorded_at, unit_address, deployment_id, cpu_percent, memory_mb) values
        ('2026-01-16 10:00:05Z', 'a', null, 1, 100), ('2026-01-16 10:00:15Z', 'a', null, 3, 300),
        ('2026-01-16 10:01:00Z', 'a', null, 5, 500), ('2026-01-16 10:00:10Z', 'b', null, 7, 700),
        ('2026-01-16 10:00:05Z', 'a', '00000000-0000-0000-0000-000000000001', 0.5, 50)
"""


async def test_usage_by_time(conninfo: str) -> None:
    rows(conninfo, SAMPLES)
    by_unit = rows(
        conninfo,
        "select to_char(bucket_start at time zone 'UTC', 'HH24:MI') as at, unit, samples, cpu_percent_avg as cpu, "
        "cpu_percent_max as max, memory_mb_avg as mb from usage_per_unit('1 minute', '2026-01-16Z', '2026-01-17Z')",
    )
    assert [tuple(row.values()) for row in by_unit] == [
        ("10:00", "a", 2, 2.0, 3.0, 200.0), ("10:00", "b", 1, 7.0, 7.0, 700.0), ("10:01", "a", 1, 5.0, 5.0, 500.0)
    ]  # fmt: skip
    by_program = rows(conninfo, "select * from usage_per_deployment('1 hour', '2026-01-16Z')")
    assert [(r["unit"], r["samples"], r["cpu_percent_avg"], r["memory_mb_max"]) for r in by_program] == [
        ("a", 1, 0.5, 50)
    ]
    assert (
        value(conninfo, "select count(*) from usage_per_unit('1 minute', '2026-01-16 10:00:10Z', '2026-01-16 10:01Z')")
        == 2
    )


async def test_usage_at_a_moment(conninfo: str) -> None:
    rows(conninfo, SAMPLES)
    at = rows(conninfo, "select unit, deployment_id, cpu_percent from usage_at('2026-01-16 10:00:20Z')")
    assert [(r["unit"], r["deployment_id"], r["cpu_percent"]) for r in at] == [
        ("a", None, 3.0), ("a", UUID(int=1), 0.5), ("b", None, 7.0)
    ]  # fmt: skip
    assert rows(conninfo, "select unit from usage_at('2026-01-16 10:01:30Z')") == [{"unit": "a"}]


async def test_top_consumers(conninfo: str) -> None:
    rows(
        conninfo,
        "insert into usage (recorded_at, unit_address, deployment_id, cpu_percent, memory_mb) values "
        "(now(), 'a', gen_random_uuid(), 9, 1), (now(), 'a', gen_random_uuid(), 1, 9), "
        "(now() - interval '1 hour', 'a', gen_random_uuid(), 99, 99), (now(), 'a', null, 99, 99)",
    )
    found = rows(conninfo, "select cpu_percent_avg, cpu_rank, memory_rank from top_consumers order by cpu_rank")
    assert [tuple(row.values()) for row in found] == [(9.0, 1, 2), (1.0, 2, 1)]


async def test_readers_may_ask_all_of_it(conninfo: str) -> None:
    for asked in (
        "claim_round", "claim_round_usage", "claims_per_hour", "claim_latency", "claim_conflict", "restarts_per_day",
        "time_without_owner", "top_consumers", "usage_hourly", "usage_per_unit()", "usage_per_deployment()",
        "usage_at(now())",
    ):  # fmt: skip
        rows(conninfo, f"set role nodeunit_reader; select * from {asked}")
