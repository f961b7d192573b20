"""One number or one row that cannot be used is left out, and everything else continues."""

import math
from typing import LiteralString
from uuid import UUID

import psycopg
import pytest

from nodeunit.audit import invariants, why
from nodeunit.audit.backtest import TYPES, backtest
from nodeunit.audit.source import LiveLog
from nodeunit.domain.policy import Usage
from nodeunit.domain.what_if import PolicyOverride
from nodeunit.store.postgres.connections import Pool
from nodeunit.store.read import event_log
from nodeunit.store.read.event_log import EventFilter
from nodeunit.store.read.report import snapshot
from nodeunit.store.write import unit_reads
from nodeunit.store.write.membership import ProgramSample
from tests.support.members import join
from tests.support.rounds import deciding
from tests.support.rows import deployment, events, insert_deployments, rows, value

NO_USAGE = (math.nan, math.inf, -math.inf, -1.0, 1e300)


@pytest.mark.parametrize("number", NO_USAGE)
async def test_a_number_that_is_no_usage_is_left_out(number: float, database: str, pool: Pool) -> None:
    unit = await join(pool, "unit-1")
    one, two = insert_deployments(database, 2, address="unit-1")
    samples = [ProgramSample(one, 1, number, 1.0), ProgramSample(two, 1, 2.0, 3.0)]
    answer = await unit.heartbeat(Usage(number, 100.0), samples)
    assert not answer.fenced
    assert not (await unit.heartbeat(Usage(1.0, number), samples)).fenced
    assert rows(database, "select distinct deployment_id as id, cpu_percent, memory_mb from usage") == [
        {"id": two, "cpu_percent": 2.0, "memory_mb": 3.0}
    ]
    (view,) = (await unit_reads.round_inputs(pool, 8)).units
    assert view.measured is None
    rows(
        database,
        "select heartbeat('unit-1', 1, '1 minute', '1 minute', %(n)s, %(n)s, jsonb_build_array("
        "jsonb_build_object('deployment_id', %(id)s::uuid, 'claim_version', 1, 'cpu_percent', %(n)s::float8, "
        "'memory_mb', %(n)s::float8)))",
        {"n": number, "id": one},
    )
    assert value(database, "select count(*) from current_usage") == 1


@pytest.mark.parametrize("number", NO_USAGE)
async def test_a_number_that_stands_in_a_table_already_stops_no_round(number: float, database: str, pool: Pool) -> None:
    good, bad = await deciding(pool, "unit-1"), await deciding(pool, "unit-2")
    await bad.sample(1.0, 1.0)
    insert_deployments(database, 3, address="unit-2")
    rows(database, "update lease set cpu_percent = %(n)s, memory_mb = %(n)s where address = 'unit-2'", {"n": number})
    rows(
        database,
        "update unit set cpu_weight = %(n)s, reserved_memory_mb = %(n)s where address = 'unit-2'",
        {"n": number},
    )
    rows(
        database,
        "insert into current_usage (deployment_id, claim_version, cpu_percent, memory_mb, sampled_at) "
        "select id, 1, %(n)s, %(n)s, now() from deployment limit 1",
        {"n": number},
    )
    insert_deployments(database)
    assert (await good.look()).outcome == "claim"


BREAKAGES: dict[str, LiteralString] = {
    "the order is behind its row": "update deployment set address_version = 3 where id = %s",
    "the order is ahead of its row": ("insert into assignment_order values (%s, 1, 'held', 'unit-9', 0, 'free')"),
    "the order is gone": "delete from assignment_order where deployment_id = %s",
}


def break_history(database: str, row: UUID, statement: LiteralString) -> None:
    with psycopg.connect(database) as connection:
        connection.execute("set session_replication_role = replica")
        connection.execute(statement, (row,))


@pytest.mark.parametrize("breakage", BREAKAGES)
async def test_a_row_whose_history_is_broken_is_left_out_and_said_once(
    breakage: str, database: str, pool: Pool
) -> None:
    one, two = await deciding(pool, "unit-1"), await deciding(pool, "unit-2")
    broken = insert_deployments(database)[0]
    break_history(database, broken, BREAKAGES[breakage])
    assert (await one.look()).outcome == "claim"
    (good,) = insert_deployments(database)
    assert (await two.look()).outcome in ("claim", "skip")
    assert (await one.look()).outcome in ("claim", "skip")
    assert deployment(database, good)["address"] != ""
    assert deployment(database, broken)["address"] == ""
    (said,) = [event for event in events(database, broken) if event["type"] == "DeploymentUnusable"]
    assert said["data"]["deployment_id"] == str(broken)
    assert (await one.look()).reason in ("no_candidate", "not_eligible")
    assert not (await one.unit.heartbeat(None, [])).waiting
    async with snapshot(database) as log:
        violated = {found.name for found in await invariants.check(log) if found.violations}
    assert violated <= {"order_matches_log", "deployment_address_is_the_fold"}
    again = await backtest(LiveLog(database, EventFilter(types=TYPES)), PolicyOverride())
    assert again.differences == []

    async with await event_log.open_log(database, "test") as connection:
        explained = (await why.explain(connection, str(broken))).because
    assert explained[0].endswith(f"its history is broken: {said['data']['fault']}")

    rows(database, "update deployment set updated_at = now() where id = %s", (broken,))
    assert [row.id for row in (await unit_reads.round_inputs(pool, 8)).candidates] == [broken]
    rows(database, "delete from deployment where id = %s", (broken,))
    assert value(database, "select count(*) from unusable_deployment") == 0
