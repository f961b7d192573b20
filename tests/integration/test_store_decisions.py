"""The stream of a unit's decisions, above all when it is not known what became of an append."""

import asyncio
from collections.abc import AsyncIterator
from uuid import UUID, uuid4

import psycopg
import pytest

from nodeunit.domain.events import DeploymentClaimSkipped
from nodeunit.domain.program_events import ProcessParked
from nodeunit.errors import DatabaseError, DeploymentRefused, StaleEpoch, VersionConflict
from nodeunit.store.postgres import connections
from nodeunit.store.postgres.connections import Pool
from nodeunit.store.write import unit_reads
from nodeunit.store.write.decisions import Claim, DecisionStream
from nodeunit.store.write.membership import Membership
from tests.support.locks import until_waiting
from tests.support.lossy_proxy import Loss, LossyProxy
from tests.support.members import candidate, claim, join, leading_up_to, lose
from tests.support.rows import deployment, insert_deployments, rows, value

SKIPPED = DeploymentClaimSkipped("no_candidate")
CLAIM = b"DeploymentClaimAttempt"
APPEND = b"DeploymentClaimSkipped"


@pytest.fixture
async def lossy(database: str) -> AsyncIterator[LossyProxy]:
    async with LossyProxy(database) as proxy:
        yield proxy


@pytest.fixture
async def lossy_pool(lossy: LossyProxy) -> AsyncIterator[Pool]:
    async with connections.pool(lossy.conninfo, "lossy") as opened:
        await opened.wait()
        yield opened


def written(database: str) -> list[tuple[int, str]]:
    """The versions and types of the decision stream of unit-1."""
    found = rows(database, "select * from event where stream_id like 'decision-unit-1-%' order by stream_version")
    return [(event["stream_version"], event["type"]) for event in found]


def types(database: str) -> list[str]:
    assert [version for version, _ in written(database)] == [*range(1, len(written(database)) + 1)]
    return [kind for _, kind in written(database)]


def claimed_once(database: str, deployment_id: UUID) -> bool:
    """By unit-1, and whatever else was sent left no trace."""
    row = deployment(database, deployment_id)
    claims = value(database, "select count(*) from event where type = 'DeploymentClaimed'")
    return (row["address"], row["address_version"], claims) == ("unit-1", 1, 1)


async def test_appends_in_order_and_whole(database: str, pool: Pool) -> None:
    unit = await join(pool, "unit-1")
    stream = DecisionStream(unit)
    first, second = uuid4(), uuid4()
    assert not await stream.recorded([first, second])
    await stream.append(SKIPPED, ProcessParked(uuid4(), "crash_loop", ""), event_ids=[first, second])
    await stream.append(SKIPPED)
    assert written(database) == [(1, "DeploymentClaimSkipped"), (2, "ProcessParked"), (3, "DeploymentClaimSkipped")]
    assert await stream.recorded([first, second, uuid4()]) == {first, second}
    assert value(database, "select stream_id from event where event_id = %s", (first,)) == "decision-unit-1-1"


async def test_many_appends_at_once_take_turns(database: str, pool: Pool) -> None:
    stream = DecisionStream(await join(pool, "unit-1"))
    await asyncio.gather(*(stream.append(SKIPPED, SKIPPED) for _ in range(20)))
    assert len(types(database)) == 40


async def test_nothing_to_append_is_nothing(database: str, pool: Pool) -> None:
    async with asyncio.timeout(2):
        await DecisionStream(await join(pool, "unit-1")).append()
    assert written(database) == []


@pytest.mark.parametrize("loss", [Loss.REQUEST, Loss.ANSWER, Loss.IN_FLIGHT])
async def test_an_append_of_unknown_outcome_is_written_once(
    database: str, lossy: LossyProxy, lossy_pool: Pool, loss: Loss
) -> None:
    stream = DecisionStream(await join(lossy_pool, "unit-1"))
    await stream.append(SKIPPED)
    lossy.lose(APPEND, loss)
    await stream.append(SKIPPED, SKIPPED)
    assert lossy.lost.is_set()
    await stream.append(SKIPPED)
    assert len(types(database)) == 4


async def test_an_append_still_on_its_way_to_its_end_is_waited_for(
    database: str, lossy: LossyProxy, lossy_pool: Pool
) -> None:
    stream = DecisionStream(await join(lossy_pool, "unit-1"))
    lossy.lose(APPEND, Loss.IN_FLIGHT)
    with psycopg.connect(database) as obstacle:
        obstacle.execute("select from lease where address = 'unit-1' for update")
        appending = asyncio.create_task(stream.append(SKIPPED))
        await until_waiting(database, sessions=2)  # the append, and the look at what became of it
    await appending
    assert types(database) == ["DeploymentClaimSkipped"]


async def test_an_append_that_arrives_after_its_repetition_is_refused(
    database: str, lossy: LossyProxy, lossy_pool: Pool
) -> None:
    stream = DecisionStream(await join(lossy_pool, "unit-1"))
    lossy.lose(APPEND, Loss.LATE)
    await stream.append(SKIPPED)
    assert b"NU006" in await lossy.deliver()
    await stream.append(SKIPPED)
    assert len(types(database)) == 2


@pytest.mark.parametrize("loss", [Loss.REQUEST, Loss.ANSWER, Loss.IN_FLIGHT])
async def test_a_claim_of_unknown_outcome_is_written_once(
    database: str, lossy: LossyProxy, lossy_pool: Pool, loss: Loss
) -> None:
    stream = DecisionStream(await join(lossy_pool, "unit-1"))
    (one,) = insert_deployments(database)
    lossy.lose(CLAIM, loss)
    assert await claim(stream, "unit-1", candidate(database, one))
    assert lossy.lost.is_set()
    await stream.append(SKIPPED)
    assert types(database) == ["DeploymentClaimEligibility", "DeploymentClaimAttempt", "DeploymentClaimSkipped"]
    assert claimed_once(database, one)


async def test_a_conflict_whose_answer_is_lost_is_a_conflict(
    database: str, pool: Pool, lossy: LossyProxy, lossy_pool: Pool
) -> None:
    stream = DecisionStream(await join(lossy_pool, "unit-1"))
    (one,) = insert_deployments(database)
    wanted = candidate(database, one)
    assert await claim(DecisionStream(await join(pool, "unit-2")), "unit-2", wanted)
    lossy.lose(CLAIM, Loss.ANSWER)
    assert not await claim(stream, "unit-1", wanted)
    await stream.append(SKIPPED)
    assert types(database).count("DeploymentClaimSkipped") == 2


async def test_a_claim_that_somebody_else_was_faster_with_meanwhile_is_a_conflict(
    database: str, pool: Pool, lossy: LossyProxy, lossy_pool: Pool
) -> None:
    """The connection is cut, and by the time the unit is back the row is gone."""
    stream = DecisionStream(await join(lossy_pool, "unit-1"))
    (one,) = insert_deployments(database)
    wanted = candidate(database, one)
    faster = DecisionStream(await join(pool, "unit-2"))
    lossy.lose(CLAIM, Loss.REQUEST)
    with psycopg.connect(database) as obstacle:
        obstacle.execute("select from lease where address = 'unit-1' for update")
        claiming = asyncio.create_task(claim(stream, "unit-1", wanted))
        await until_waiting(database)  # the look at what became of it
        assert await claim(faster, "unit-2", wanted)
    assert not await claiming
    assert types(database)[-1] == "DeploymentClaimSkipped"
    assert deployment(database, one)["address"] == "unit-2"


async def test_a_claim_that_arrives_after_its_repetition_is_refused(
    database: str, lossy: LossyProxy, lossy_pool: Pool
) -> None:
    stream = DecisionStream(await join(lossy_pool, "unit-1"))
    (one,) = insert_deployments(database)
    lossy.lose(CLAIM, Loss.LATE)
    assert await claim(stream, "unit-1", candidate(database, one))
    assert b"NU006" in await lossy.deliver()
    await stream.append(SKIPPED)
    assert claimed_once(database, one)


@pytest.mark.parametrize("attempt", range(5))
async def test_a_claim_that_arrives_together_with_its_repetition_is_written_once(
    database: str, lossy: LossyProxy, lossy_pool: Pool, attempt: int
) -> None:
    """Whichever comes first: both wait for the same lock."""
    stream = DecisionStream(await join(lossy_pool, "unit-1"))
    (one,) = insert_deployments(database)
    lossy.lose(CLAIM, Loss.LATE)
    with psycopg.connect(database) as obstacle:
        obstacle.execute("select from lease where address = 'unit-1' for update")
        claiming = asyncio.create_task(claim(stream, "unit-1", candidate(database, one)))
        await until_waiting(database)  # the look at what became of it
        delivering = asyncio.create_task(lossy.deliver())
        await until_waiting(database, sessions=2)
    assert await claiming
    await delivering
    await stream.append(SKIPPED)
    assert types(database) == ["DeploymentClaimEligibility", "DeploymentClaimAttempt", "DeploymentClaimSkipped"]
    assert claimed_once(database, one)


@pytest.mark.parametrize("released_first", [True, False])
async def test_a_cancelled_claim_leaves_the_stream_usable(database: str, pool: Pool, released_first: bool) -> None:
    """A unit that begins to leave cancels its claim; its process events still have to be written."""
    unit = await join(pool, "unit-1")
    stream = DecisionStream(unit)
    (one,) = insert_deployments(database)
    wanted = candidate(database, one)
    with psycopg.connect(database) as obstacle:
        obstacle.execute("select from lease where address = 'unit-1' for update")
        claiming = asyncio.create_task(claim(stream, "unit-1", wanted))
        await until_waiting(database)
        if released_first:
            obstacle.commit()
        claiming.cancel()
        with pytest.raises(asyncio.CancelledError):
            await claiming
        obstacle.commit()
    await stream.append(SKIPPED)
    held = deployment(database, one)["address"] == "unit-1"
    assert types(database) == (["DeploymentClaimEligibility", "DeploymentClaimAttempt"] * held) + [
        SKIPPED.__class__.__name__
    ]


async def test_a_statement_cut_off_by_a_timeout_is_repeated(database: str, pool: Pool) -> None:
    """lock_timeout of the daemon's sessions: a stuck append must not hold what it locked."""
    stream = DecisionStream(await join(pool, "unit-1"))
    with psycopg.connect(database) as obstacle:
        obstacle.execute("select from lease where address = 'unit-1' for update")
        appending = asyncio.create_task(stream.append(SKIPPED))
        await until_waiting(database)
        assert value(
            database, "select count(pg_cancel_backend(pid)) from pg_stat_activity where wait_event_type = 'Lock'"
        )
    await appending
    assert types(database) == ["DeploymentClaimSkipped"]


async def test_two_writers_of_one_stream_do_not_overwrite_each_other(database: str, pool: Pool) -> None:
    """It cannot happen with one daemon for an epoch; the database would not let it."""
    unit = await join(pool, "unit-1")
    await DecisionStream(unit).append(SKIPPED)
    with pytest.raises(psycopg.errors.DatabaseError) as refused:
        rows(
            database,
            'select append_decisions(\'unit-1\', %s, 0, \'[{"event_id": "a57f1b8e-35f4-4b9e-8f5a-9a1f8c6c3f0b", '
            '"type": "DeploymentClaimSkipped", "data": {}}]\')',
            (unit.epoch,),
        )
    assert isinstance(connections.translate_error(refused.value), VersionConflict)


@pytest.fixture
async def stale(database: str, pool: Pool) -> Membership:
    """A unit that held a row when another one found its lease over."""
    unit = await join(pool, "unit-1")
    insert_deployments(database, address="unit-1")
    await lose(pool, database, await join(pool, "unit-2"), "unit-1")
    return unit


async def test_a_stale_epoch_writes_nothing(database: str, pool: Pool, stale: Membership) -> None:
    (held,) = await unit_reads.programs_of(pool, "unit-1")
    (free,) = insert_deployments(database)
    before = value(database, "select count(*) from event")
    stream = DecisionStream(stale)
    for refused in (
        stream.append(SKIPPED),
        claim(stream, "unit-1", candidate(database, free)),
        stale.release(held, "drained"),
        stale.begin_draining(),
        stale.record_supervisor_death(),
        stale.end_drain(),
        stale.leave(),
        stale.declare_lost(["unit-2"]),
    ):
        with pytest.raises(StaleEpoch):
            await refused
    assert (await stale.heartbeat(None, [])).fenced
    assert value(database, "select count(*) from event") == before


async def test_an_epoch_that_ends_while_the_outcome_is_unknown_is_stale(
    database: str, pool: Pool, lossy: LossyProxy, lossy_pool: Pool
) -> None:
    stream = DecisionStream(await join(lossy_pool, "unit-1"))
    finder = await join(pool, "unit-2")
    lossy.lose(APPEND, Loss.LATE)
    with psycopg.connect(database) as obstacle:
        obstacle.execute("select from lease where address = 'unit-1' for update")
        appending = asyncio.create_task(stream.append(SKIPPED))
        await until_waiting(database)  # the look at what became of it
        obstacle.execute("update lease set epoch = null where address = 'unit-1'")
    with pytest.raises(StaleEpoch):
        await appending
    assert b"NU001" in await lossy.deliver()
    assert written(database) == []
    assert finder.epoch == 1


async def test_a_failure_that_no_repetition_mends_is_told(database: str, pool: Pool) -> None:
    stream = DecisionStream(await join(pool, "unit-1"))
    rows(database, "alter table event add constraint full_disk check (type <> 'DeploymentClaimSkipped')")
    with pytest.raises(DeploymentRefused):
        await stream.append(SKIPPED)
    rows(database, "alter table event drop constraint full_disk")
    await stream.append(SKIPPED)
    assert types(database) == ["DeploymentClaimSkipped"]


async def test_the_events_of_a_claim_come_with_it_or_not_at_all(database: str, pool: Pool) -> None:
    stream = DecisionStream(await join(pool, "unit-1"))
    (one,) = insert_deployments(database)
    rows(
        database,
        "create function refuse_claims() returns trigger language plpgsql as "
        "$$ begin raise exception 'not here' using errcode = 'feature_not_supported'; end $$; "
        "create trigger refuse_claims before insert on event for each row when (new.type = 'DeploymentClaimed') "
        "execute function refuse_claims()",
    )
    with pytest.raises(DatabaseError):
        await stream.claim(Claim(candidate(database, one), leading_up_to("unit-1", one)))
    assert written(database) == []
    assert deployment(database, one)["address_version"] == 0
    assert value(database, "select count(*) from assignment_order") == 1
