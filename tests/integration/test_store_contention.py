"""Thirty-two units in four processes go for the same five hundred rows at the same moments."""

import pytest

from nodeunit.domain.deployment import evolve, initial_state
from nodeunit.domain.event_json import decode
from nodeunit.store.postgres.connections import Pool
from nodeunit.store.read import projections
from tests.support.claimers import claim_at_once
from tests.support.members import candidate, join, lose
from tests.support.rows import insert_deployments, rows, value

ROUNDS = 500
PROCESSES = 4
UNITS_EACH = 8


@pytest.mark.timeout(180)
async def test_one_wins_each_version_and_every_loser_says_so(database: str, pool: Pool) -> None:
    """Half of the rows are free, half are taken over from a lost unit; chunks of the log begin all the while."""
    rows(database, "select set_chunk_time_interval('event', interval '1 second')")
    rows(database, "select drop_chunks('event', older_than => now() + interval '90 days')")  # those made ahead
    finder = await join(pool, "finder")
    await join(pool, "lost")
    free = insert_deployments(database, ROUNDS // 2)
    orphaned = insert_deployments(database, ROUNDS // 2, address="lost")
    await lose(pool, database, finder, "lost")
    mixed = [each for pair in zip(free, orphaned, strict=True) for each in pair]
    candidates = [candidate(database, each) for each in mixed]

    winners = claim_at_once(database, candidates, processes=PROCESSES, units_each=UNITS_EACH)

    assert {len(won) for won in winners.values()} == {1}
    holders = {row["id"]: [row["address"]] for row in rows(database, "select id, address from deployment")}
    assert holders == winners

    state = dict.fromkeys(mixed, initial_state())
    for event in rows(
        database,
        "select deployment_id, type, stream_version, data::text as data from event "
        "where stream_id like 'assignment-%' order by deployment_id, stream_version",
    ):
        one = event["deployment_id"]
        state[one] = evolve(state[one], event["stream_version"], decode(event["type"], event["data"]))
    assert {one: [s.holder] for one, s in state.items()} == winners

    told = value(
        database,
        "select jsonb_object_agg(deployment_id, losers) from (select deployment_id, "
        "jsonb_agg(unit_address order by unit_address) as losers from event "
        "where type = 'DeploymentClaimSkipped' and data ->> 'reason' = 'claim_conflict' "
        "and data ->> 'claimant' = unit_address and data ->> 'deployment_id' = deployment_id::text "
        "group by deployment_id) as conflicts",
    )
    everybody = {f"unit-{p}-{u}" for p in range(PROCESSES) for u in range(UNITS_EACH)}
    assert told == {str(one): sorted(everybody - set(won)) for one, won in winners.items()}

    streams = rows(
        database,
        "select count(*) as events, count(distinct e.stream_version) as versions, max(e.stream_version) as last, "
        "max(l.stream_version) as counted from event e join lease l on l.address = e.unit_address "
        "where e.stream_id like 'decision-%' group by e.stream_id",
    )
    assert len(streams) == len(everybody)
    assert all(s["events"] == s["versions"] == s["last"] == s["counted"] for s in streams)

    chunks = value(database, "select count(distinct tableoid) from event where type = 'DeploymentClaimed'")
    assert chunks > 1, "no claim crossed a chunk boundary"
    assert value(database, "select deadlocks from pg_stat_database where datname = current_database()") == 0
    assert await projections.verify(database) == []
