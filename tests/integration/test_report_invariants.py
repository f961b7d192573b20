"""Every invariant of the report holds for what units and people did, and finds what cannot have happened."""

from collections.abc import Callable
from typing import LiteralString, NamedTuple
from uuid import UUID

import psycopg
import pytest
from psycopg.types.json import Jsonb

from nodeunit.audit.invariants import SENTENCES, check
from nodeunit.store.postgres.connections import Pool
from nodeunit.store.read.report import snapshot
from nodeunit.store.write.decisions import DecisionStream
from tests.support.members import candidate, claim, join, lose
from tests.support.rows import insert_deployments, rows


class History(NamedTuple):
    """What was arranged. Unit `a` was lost, `b` is in the fleet, `c` has left."""

    database: str
    held: UUID
    """By b, at version 1."""
    taken_over: UUID
    """By b from a, at version 3."""
    free: UUID
    """Never claimed."""


@pytest.fixture
async def history(database: str, pool: Pool) -> History:
    """Claims, a conflict, a release, a takeover, an assignment by hand, a deletion, a unit lost and one that left."""
    a, b, c = [await join(pool, address) for address in "abc"]
    of_a, of_b, of_c = [DecisionStream(unit) for unit in (a, b, c)]
    held, taken_over, drained, deleted, free = insert_deployments(database, 5)
    seen = candidate(database, held)
    assert await claim(of_b, "b", seen)
    assert not await claim(of_c, "c", seen)
    for one in (taken_over, deleted):
        assert await claim(of_a, "a", candidate(database, one))
    assert await claim(of_c, "c", candidate(database, drained))
    await c.begin_draining()
    (row,) = await c.programs()
    assert await c.release(row, "drained")
    await c.leave()
    rows(database, "update deployment set address = 'b' where id = %s", [drained])
    rows(database, "delete from deployment where id = %s", [deleted])
    await lose(pool, database, b, "a")
    assert await claim(of_b, "b", candidate(database, taken_over))
    return History(database, held, taken_over, free)


async def violations(database: str) -> dict[str, int]:
    async with snapshot(database) as log:
        return {one.name: one.violations for one in await check(log)}


async def test_a_history_made_by_units_and_people_breaks_no_rule(history: History) -> None:
    assert await violations(history.database) == dict.fromkeys(SENTENCES, 0)


ARCHIVE: tuple[LiteralString, ...] = (
    """
    create temp table last as
    select distinct on (stream_id) * from event where stream_id not like 'deployment-%'
    order by stream_id, stream_version desc
    """,
    "delete from last where deployment_id in (select deployment_id from event where type = 'DeploymentDeleted')",
    "create temp table folded as select * from deployment_address_folded()",
    "create temp table folded_unit as select * from unit_folded()",
    "delete from event",
    """
    insert into event (position, transaction_id, stream_id, stream_version, type, deployment_id, unit_address, data)
    overriding system value
    select l.position, l.transaction_id, l.stream_id, l.stream_version,
           case split_part(l.stream_id, '-', 1)
               when 'assignment' then 'AssignmentSnapshot' when 'unit' then 'UnitSnapshot' else 'DecisionsSnapshot' end,
           l.deployment_id, l.unit_address,
           case split_part(l.stream_id, '-', 1)
               when 'assignment' then (
                   select jsonb_build_object(
                       'deployment_id', f.deployment_id, 'holder', f.address, 'since', f.address_since)
                   from folded f where f.deployment_id = l.deployment_id)
               when 'unit' then (select to_jsonb(u) from folded_unit u where u.address = l.unit_address)
               else '{}' end
    from last l
    """,
    "insert into event (stream_id, stream_version, type) values ('log', 1, 'LogArchived')",
)
"""What archiving does to the streams that rules are about, as one cut through the whole log."""


async def test_what_remains_of_an_archived_log_breaks_no_rule(history: History, pool: Pool) -> None:
    with psycopg.connect(history.database) as superuser:
        superuser.execute("set local session_replication_role = replica")
        for statement in ARCHIVE:
            superuser.execute(statement)
    assert await violations(history.database) == dict.fromkeys(SENTENCES, 0)
    d = await join(pool, "d")
    assert await claim(DecisionStream(d), "d", candidate(history.database, history.free))
    await lose(pool, history.database, d, "b")
    assert await claim(DecisionStream(await join(pool, "e")), "e", candidate(history.database, history.held))
    assert await violations(history.database) == dict.fromkeys(SENTENCES, 0)
    with psycopg.connect(history.database) as superuser:
        superuser.execute("set local session_replication_role = replica")
        superuser.execute(CLAIM, {"id": history.taken_over, "version": 4, "unit": "c"})
    broken = {name for name, found in (await violations(history.database)).items() if found}
    assert broken >= {"claimed_only_what_was_free", "claimed_only_by_members", "order_matches_log"}


async def test_without_timescaledb_the_same_queries_run(plain_database: str) -> None:
    assert await violations(plain_database) == dict.fromkeys(SENTENCES, 0)


CLAIM: LiteralString = """
    insert into event (stream_id, stream_version, type, deployment_id, unit_address, data)
    select 'assignment-' || %(id)s::uuid, %(version)s, 'DeploymentClaimed', %(id)s, %(unit)s::text,
           jsonb_build_object('deployment_id', %(id)s::uuid, 'claimant', %(unit)s::text)
"""
RELEASE: LiteralString = """
    insert into event (stream_id, stream_version, type, deployment_id, unit_address, data)
    select 'assignment-' || %(id)s::uuid, %(version)s, 'DeploymentReleased', %(id)s, %(unit)s::text,
           jsonb_build_object('deployment_id', %(id)s::uuid, 'holder', %(unit)s::text, 'reason', %(reason)s::text)
"""
DECISION: LiteralString = """
    insert into event (stream_id, stream_version, type, deployment_id, unit_address, data)
    select 'decision-b-1', (select max(stream_version) + 1 from event where stream_id = 'decision-b-1'),
           %(type)s, %(id)s, 'b', %(data)s::text::jsonb
"""

Forge = Callable[["psycopg.Connection[tuple[object, ...]]", History], None]
FORGERIES: list[tuple[str, str, Forge]] = []


def breaks(invariant: str) -> Callable[[Forge], Forge]:
    """A forgery, written as superuser and without triggers, that this invariant must find."""

    def register(forge: Forge) -> Forge:
        FORGERIES.append((invariant, forge.__name__, forge))
        return forge

    return register


Connection = psycopg.Connection[tuple[object, ...]]


@breaks("claimed_only_what_was_free")
def claim_of_what_is_held(by: Connection, history: History) -> None:
    by.execute(CLAIM, {"id": history.held, "version": 2, "unit": "a"})


@breaks("claimed_only_what_was_free")
def claim_that_the_order_does_not_know(by: Connection, history: History) -> None:
    by.execute(CLAIM, {"id": history.free, "version": 1, "unit": "b"})


@breaks("one_claim_a_round")
def two_claims_in_one_transaction(by: Connection, history: History) -> None:
    by.execute(CLAIM, {"id": history.free, "version": 1, "unit": "b"})
    by.execute(CLAIM, {"id": history.held, "version": 2, "unit": "b"})


@breaks("nothing_from_online_units")
def release_of_a_living_unit_as_lost(by: Connection, history: History) -> None:
    by.execute(RELEASE, {"id": history.held, "version": 2, "unit": "b", "reason": "unit_lost"})


@breaks("nothing_from_online_units")
def takeover_under_another_name(by: Connection, history: History) -> None:
    by.execute(RELEASE, {"id": history.held, "version": 2, "unit": "b", "reason": "drained"})
    by.execute(CLAIM, {"id": history.held, "version": 3, "unit": "a"})


@breaks("claimed_only_by_members")
def claim_by_a_unit_that_was_lost(by: Connection, history: History) -> None:
    by.execute(CLAIM, {"id": history.free, "version": 1, "unit": "a"})


@breaks("claimed_only_by_members")
def claim_by_a_unit_that_left(by: Connection, history: History) -> None:
    by.execute(CLAIM, {"id": history.free, "version": 1, "unit": "c"})


@breaks("claimed_only_by_members")
def claim_by_a_unit_that_nobody_knows(by: Connection, history: History) -> None:
    by.execute(CLAIM, {"id": history.free, "version": 1, "unit": "d"})


@breaks("versions_without_gap_or_double")
def gap_in_a_stream(by: Connection, history: History) -> None:
    by.execute(
        "insert into event (stream_id, stream_version, type, unit_address) values ('decision-b-1', 99, 'Whatever', 'b')"
    )


@breaks("versions_without_gap_or_double")
def version_that_is_there_twice(by: Connection, history: History) -> None:
    by.execute(CLAIM, {"id": history.held, "version": 1, "unit": "a"})


@breaks("versions_without_gap_or_double")
def stream_that_begins_at_two(by: Connection, history: History) -> None:
    by.execute("insert into event (stream_id, stream_version, type) values ('something', 2, 'Whatever')")


@breaks("order_matches_log")
def order_without_event(by: Connection, history: History) -> None:
    by.execute("insert into assignment_order values (%s, 1, 'held', 'b', 0, 'free')", [history.free])


@breaks("order_matches_log")
def event_without_order(by: Connection, history: History) -> None:
    by.execute(RELEASE, {"id": history.held, "version": 2, "unit": "b", "reason": "by_hand"})


@breaks("order_matches_log")
def order_with_another_holder(by: Connection, history: History) -> None:
    by.execute("update assignment_order set holder = 'c' where deployment_id = %s and version = 1", [history.held])


@breaks("order_matches_log")
def membership_that_the_log_does_not_know(by: Connection, history: History) -> None:
    by.execute("insert into membership_order values ('d', 1, 'present', null, null)")


@breaks("claims_follow_their_round")
def claim_without_a_round(by: Connection, history: History) -> None:
    by.execute(CLAIM, {"id": history.free, "version": 1, "unit": "b"})


@breaks("claims_follow_their_round")
def claim_by_a_unit_that_was_not_eligible(by: Connection, history: History) -> None:
    _decide(by, "DeploymentClaimEligibility", None, '{"eligible": false}')
    _decide(by, "DeploymentClaimAttempt", history.free, "{}")
    by.execute(CLAIM, {"id": history.free, "version": 1, "unit": "b"})


@breaks("claims_follow_their_round")
def claim_before_its_attempt(by: Connection, history: History) -> None:
    by.execute(CLAIM, {"id": history.free, "version": 1, "unit": "b"})
    _decide(by, "DeploymentClaimEligibility", None, '{"eligible": true}')
    _decide(by, "DeploymentClaimAttempt", history.free, "{}")


@breaks("claims_follow_their_round")
def claim_after_an_attempt_at_another_row(by: Connection, history: History) -> None:
    _decide(by, "DeploymentClaimEligibility", None, '{"eligible": true}')
    _decide(by, "DeploymentClaimAttempt", history.held, "{}")
    by.execute(CLAIM, {"id": history.free, "version": 1, "unit": "b"})


@breaks("held_rows_run_or_say_why")
def row_that_is_held_and_does_not_run(by: Connection, history: History) -> None:
    _hold_for_an_hour(by, history.held)


@breaks("held_rows_run_or_say_why")
def program_that_ended_an_hour_ago(by: Connection, history: History) -> None:
    _end_half_an_hour_ago(by, history.held, "always", exit_code=0)
    _hold_for_an_hour(by, history.held)


@breaks("held_rows_run_or_say_why")
def program_that_is_said_to_run_and_has_no_samples(by: Connection, history: History) -> None:
    _decide(by, "ProcessStarted", history.held, "{}")
    _hold_for_an_hour(by, history.held)


@breaks("deployment_address_is_the_fold")
def address_that_the_log_does_not_give(by: Connection, history: History) -> None:
    by.execute("update deployment set address = 'a' where id = %s", [history.held])


@breaks("deployment_address_is_the_fold")
def row_that_is_gone_without_an_event(by: Connection, history: History) -> None:
    by.execute("delete from deployment where id = %s", [history.held])


@breaks("unit_is_the_fold")
def unit_under_another_name(by: Connection, history: History) -> None:
    by.execute("update unit set name = 'somebody' where address = 'b'")


def _hold_for_an_hour(by: Connection, held: UUID) -> None:
    """As if `b` had held the row all that time, and had renewed its lease just now."""
    by.execute(
        "update deployment set address_since = now() - interval '1 hour', updated_at = now() - interval '1 hour' "
        "where id = %s",
        [held],
    )
    by.execute("update unit set since = now() - interval '1 hour' where address = 'b'")
    by.execute("update fleet set leases_count_from = '-infinity'")
    by.execute("update lease set renewed_at = now(), expires_at = now() + interval '10 seconds' where address = 'b'")


@breaks("held_rows_run_or_say_why")
def program_that_failed_an_hour_ago_and_is_to_be_restarted_on_failure(by: Connection, history: History) -> None:
    _end_half_an_hour_ago(by, history.held, "on_failure", exit_code=1)
    _hold_for_an_hour(by, history.held)


@pytest.mark.parametrize(("restart", "exit_code"), [("on_failure", 0), ("never", 0), ("never", 1)])
async def test_a_program_that_is_not_to_be_restarted_may_have_ended_long_ago(
    history: History, restart: str, exit_code: int
) -> None:
    with psycopg.connect(history.database) as superuser:
        superuser.execute("set local session_replication_role = replica")
        _end_half_an_hour_ago(superuser, history.held, restart, exit_code)
        _hold_for_an_hour(superuser, history.held)
    assert (await violations(history.database))["held_rows_run_or_say_why"] == 0


def _end_half_an_hour_ago(by: Connection, held: UUID, restart: str, exit_code: int) -> None:
    # Inserted as old, and not made older: half an hour ago may be in another chunk.
    by.execute(
        "insert into event (recorded_at, stream_id, stream_version, type, deployment_id, unit_address, data) "
        "values (now() - interval '30 minutes', 'decision-b-1', 99, 'ProcessExited', %s, 'b', %s)",
        [held, Jsonb({"reason": "exited", "exit_code": exit_code})],
    )
    by.execute("update deployment set restart = %s where id = %s", [restart, held])


@pytest.mark.parametrize(
    ("said", "data"),
    [
        ("ProcessParked", "{}"),
        ("ProcessExited", '{"reason": "exited"}'),
        ("ProcessExited", '{"reason": "stopped"}'),
        ("ProcessExited", '{"reason": "unhealthy"}'),
        ("ProgramInstalling", "{}"),
        ("ProgramInstallFailed", "{}"),
    ],
)
async def test_a_row_that_does_not_run_is_no_violation_when_its_unit_says_why(
    history: History, said: str, data: str
) -> None:
    with psycopg.connect(history.database) as superuser:
        superuser.execute("set local session_replication_role = replica")
        _hold_for_an_hour(superuser, history.held)
        _decide(superuser, said, history.held, data)
    assert (await violations(history.database))["held_rows_run_or_say_why"] == 0


async def test_a_row_that_was_sampled_a_moment_ago_runs(history: History) -> None:
    with psycopg.connect(history.database) as superuser:
        superuser.execute("set local session_replication_role = replica")
        _hold_for_an_hour(superuser, history.held)
        superuser.execute("insert into usage values (now(), 'b', %s, 1, 1)", [history.held])
    assert (await violations(history.database))["held_rows_run_or_say_why"] == 0


def _decide(by: Connection, event_type: str, deployment_id: UUID | None, data: str) -> None:
    by.execute(DECISION, {"type": event_type, "id": deployment_id, "data": data})


def test_every_invariant_has_a_forgery() -> None:
    assert {invariant for invariant, _, _ in FORGERIES} == SENTENCES.keys()


@pytest.mark.parametrize(
    ("invariant", "forge"), [(name, forge) for name, _, forge in FORGERIES], ids=[what for _, what, _ in FORGERIES]
)
async def test_the_invariant_finds(history: History, invariant: str, forge: Forge) -> None:
    with psycopg.connect(history.database) as superuser:
        superuser.execute("set local session_replication_role = replica")
        forge(superuser, history)
    async with snapshot(history.database) as log:
        (found,) = [one for one in await check(log) if one.name == invariant]
    assert found.violations >= 1
    assert found.examples
