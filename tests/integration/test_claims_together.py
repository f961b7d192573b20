"""Several claims in one transaction: each is a round of its own in the log, and a conflict costs only its row."""

from uuid import UUID

import psycopg
import pytest

from nodeunit.audit import invariants
from nodeunit.audit.backtest import TYPES, backtest
from nodeunit.audit.source import LiveLog
from nodeunit.domain import claim_round
from nodeunit.domain.forward_play import play
from nodeunit.domain.what_if import PolicyOverride
from nodeunit.errors import StaleEpoch
from nodeunit.store.postgres.connections import Pool
from nodeunit.store.read import projections
from nodeunit.store.read.event_log import EventFilter
from nodeunit.store.read.report import snapshot
from nodeunit.store.write import unit_reads
from nodeunit.store.write.decisions import Claim, DecisionStream
from nodeunit.store.write.membership import Membership
from tests.support.members import candidate, join, leading_up_to, lose
from tests.support.rows import deployment, events, insert_deployments, rows, value


async def claim_all_of_one_look(pool: Pool, units: dict[str, Membership]) -> None:
    """Every unit looks before any of them has claimed."""
    looks = [(unit, *(await unit_reads.look(pool, 1024))) for unit in units.values()]
    for unit, inputs, forecast in looks:
        claims = []
        for decision in play(unit.address, inputs, forecast, 1024):
            assert decision.candidate is not None
            told = claim_round.record(unit.address, "deployment", decision), decision.eligibility, decision.attempt
            claims.append(Claim(decision.candidate, tuple(event for event in told if event is not None)))
        assert len(await DecisionStream(unit).claim(*claims)) == len(claims)


def held(conninfo: str) -> dict[str, int]:
    counted = rows(conninfo, "select address, count(*)::int as rows from deployment group by 1")
    return {row["address"]: row["rows"] for row in counted}


async def sound(conninfo: str) -> None:
    assert await projections.verify(conninfo) == []
    async with snapshot(conninfo) as taken:
        assert [one for one in await invariants.check(taken) if one.violations] == []


async def test_each_claim_is_a_round_of_its_own_that_can_be_decided_again(database: str, pool: Pool) -> None:
    units = {name: await join(pool, name) for name in ("unit-1", "unit-2", "unit-3")}
    insert_deployments(database, 100)
    await claim_all_of_one_look(pool, units)

    assert held(database) == {"unit-1": 34, "unit-2": 33, "unit-3": 33}
    written = [event for event in events(database) if event["type"].startswith("DeploymentClaim")]
    assert len({event["transaction_id"] for event in written}) == 3
    assert [event["type"] for event in written] == [
        "DeploymentClaimRound", "DeploymentClaimEligibility", "DeploymentClaimAttempt", "DeploymentClaimed",
    ] * 100  # fmt: skip
    assert {event["deployment_id"] for event in written[2::4]} == {event["deployment_id"] for event in written[3::4]}
    await sound(database)
    judged = await backtest(LiveLog(database, EventFilter(types=TYPES)), PolicyOverride())
    assert (judged.decisions, judged.differing) == (100, 0)


async def test_a_conflict_costs_its_row_and_is_recorded(database: str, pool: Pool) -> None:
    one, two = await join(pool, "unit-1"), await join(pool, "unit-2")
    taken, locked, disabled, changed, free = insert_deployments(database, 5)
    wanted = [Claim(candidate(database, row), leading_up_to("unit-1", row)) for row in (taken, locked, disabled, free)]
    assert await DecisionStream(two).claim(Claim(candidate(database, taken), leading_up_to("unit-2", taken)))
    rows(database, "update deployment set enabled = false where id = %s", (disabled,))
    stream = DecisionStream(one)
    with psycopg.connect(database) as person:
        person.execute("update deployment set command = 'x' where id = %s", (locked,))
        assert [row.id for row in await stream.claim(*wanted)] == [free]
    assert [row.id for row in await stream.claim(Claim(candidate(database, changed), leading_up_to("unit-1", changed)))]

    conflicts = [event for event in events(database) if event["type"] == "DeploymentClaimSkipped"]
    assert [event["data"]["deployment_id"] for event in conflicts] == [str(row) for row in (taken, locked, disabled)]
    own = rows(
        database, "select stream_version, type from event where stream_id = 'decision-unit-1-1' order by stream_version"
    )
    assert [event["stream_version"] for event in own] == list(range(1, 14))
    assert held(database) == {"": 2, "unit-1": 2, "unit-2": 1}
    await sound(database)


async def test_rows_of_a_lost_unit_are_taken_over_together(database: str, pool: Pool) -> None:
    one = await join(pool, "unit-1")
    await join(pool, "unit-2")
    lost = insert_deployments(database, 3, address="unit-2")
    free = insert_deployments(database, 2)
    stream = DecisionStream(one)
    wanted = [Claim(candidate(database, row), leading_up_to("unit-1", row)) for row in (*lost, *free)]
    assert [row.id for row in await stream.claim(*wanted)] == free, "its lease is good"
    await lose(pool, database, one, "unit-2")
    again = [Claim(candidate(database, row), leading_up_to("unit-1", row)) for row in lost]
    assert {row.id for row in await stream.claim(*again)} == set(lost)
    released = [event for event in events(database, lost[0]) if event["type"] == "DeploymentReleased"]
    assert [(event["data"]["reason"], event["unit_address"]) for event in released] == [("unit_lost", "unit-2")]
    await sound(database)


async def test_a_broken_history_costs_its_row_alone(database: str, pool: Pool) -> None:
    stream = DecisionStream(await join(pool, "unit-1"))
    good, broken, fine = insert_deployments(database, 3)
    with psycopg.connect(database) as connection:
        connection.execute("set session_replication_role = replica")
        connection.execute("insert into assignment_order values (%s, 1, 'held', 'unit-9', 0, 'free')", (broken,))
    wanted = [Claim(candidate(database, row), leading_up_to("unit-1", row)) for row in (good, broken, fine)]
    assert [row.id for row in await stream.claim(*wanted)] == [good, fine]
    assert value(database, "select deployment_id from unusable_deployment") == broken
    assert [event["type"] for event in events(database, broken)][-1] == "DeploymentUnusable"
    (more,) = insert_deployments(database)
    assert await stream.claim(Claim(candidate(database, more), leading_up_to("unit-1", more))), "its version is known"


async def test_who_was_lost_claims_nothing(database: str, pool: Pool) -> None:
    one, two = await join(pool, "unit-1"), await join(pool, "unit-2")
    wanted = [Claim(candidate(database, row), leading_up_to("unit-1", row)) for row in insert_deployments(database, 3)]
    await lose(pool, database, two, "unit-1")
    with pytest.raises(StaleEpoch):
        await DecisionStream(one).claim(*wanted)
    assert held(database) == {"": 3}


async def test_a_batch_costs_the_same_few_statements_and_rows_whatever_the_table_is_like(
    database: str, pool: Pool
) -> None:
    """Made when the tables were empty, and never analysed: it still looks each row up by its index."""
    stream = DecisionStream(await join(pool, "unit-1"))
    claimed: list[UUID] = []

    async def claim(count: int) -> None:
        made = insert_deployments(database, count)
        wanted = [Claim(candidate(database, row), leading_up_to("unit-1", row)) for row in made]
        claimed.extend(row.id for row in await stream.claim(*wanted))

    for _ in range(8):
        await claim(1)  # the plan is made and kept
    rows(
        database,
        "insert into deployment (package_name, package_version) select 'x', '1' from generate_series(1, 20000)",
    )
    reads = (
        "select sum(seq_tup_read)::bigint from pg_stat_user_tables "
        "where relname in ('deployment', 'assignment_order', 'lease')"
    )
    async with pool.connection() as connection:
        await connection.execute("select pg_stat_force_next_flush()")
    before = value(database, reads)
    await claim(20)
    async with pool.connection() as connection:
        await connection.execute("select pg_stat_force_next_flush()")
    assert value(database, reads) - before < 2000
    assert {deployment(database, row)["address"] for row in claimed} == {"unit-1"}
