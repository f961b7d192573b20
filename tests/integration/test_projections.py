"""The projections are the fold of the log: always, after tampering and a rebuild, and during claims."""

import asyncio

import psycopg
import pytest

from nodeunit.store.postgres.connections import Pool
from nodeunit.store.read import projections
from nodeunit.store.read.projections import RowDifference
from nodeunit.store.write import unit_reads
from nodeunit.store.write.decisions import DecisionStream
from nodeunit.store.write.membership import Membership
from tests.support.members import candidate, claim, join, lose
from tests.support.rows import deployment, insert_deployments, rows, value


@pytest.fixture
async def lived_in(database: str, pool: Pool) -> str:
    """A database with a history: claims, a takeover, hands, a deletion, a unit that left."""
    first, second, third = [await join(pool, f"unit-{n}") for n in (1, 2, 3)]
    stream = DecisionStream(first)
    made = insert_deployments(database, 6)
    for one in made[:3]:
        assert await claim(stream, "unit-1", candidate(database, one))
    await lose(pool, database, second, "unit-1")
    assert await claim(DecisionStream(second), "unit-2", candidate(database, made[0]))
    rows(database, "update deployment set address = 'unit-3' where id = %s", (made[4],))
    rows(database, "delete from deployment where id = any (%s)", ([made[2], made[5]],))
    await third.leave()
    rows(database, "select cordon_unit('unit-2')")
    return database


async def test_there_is_no_difference(lived_in: str) -> None:
    assert await projections.verify(lived_in) == []
    assert await projections.rebuild(lived_in) == {"deployment_address": 0, "unit": 0, "program": 0}


async def test_an_empty_log_folds_to_nothing(database: str) -> None:
    assert await projections.verify(database) == []
    assert await projections.rebuild(database) == {"deployment_address": 0, "unit": 0, "program": 0}


TAMPERING = [
    ("update deployment set address = 'unit-9' where address = 'unit-2'", "deployment_address"),
    ("update deployment set address = '' where address = 'unit-2'", "deployment_address"),
    ("update deployment set address_version = address_version + 1 where address = 'unit-2'", "deployment_address"),
    ("update deployment set address = 'unit-2', address_version = 1 where address_version = 0", "deployment_address"),
    ("update unit set membership = 'present' where address = 'unit-1'", "unit"),
    ("update unit set epoch = 7 where address = 'unit-2'", "unit"),
    ("update unit set cordoned = false where address = 'unit-2'", "unit"),
    ("delete from unit where address = 'unit-3'", "unit"),
    ("insert into unit (address, name) values ('unit-9', 'nobody')", "unit"),
]


@pytest.mark.parametrize(("statement", "projection"), TAMPERING)
async def test_tampering_is_found_and_rebuilt(lived_in: str, statement: str, projection: str) -> None:
    """A superuser writes the projection and no event: past the triggers, which would have told."""
    before = (
        rows(lived_in, "select * from deployment order by id"),
        rows(lived_in, "select * from unit order by address"),
    )
    events = value(lived_in, "select count(*) from event")
    with psycopg.connect(lived_in) as superuser:
        superuser.execute("set session_replication_role = replica")
        assert superuser.execute(statement).rowcount == 1
        superuser.commit()
    (found,) = await projections.verify(lived_in)
    assert found.projection == projection
    corrected = await projections.rebuild(lived_in)
    assert (corrected[projection], sum(corrected.values())) == (1, 1)
    assert await projections.verify(lived_in) == []
    after = (
        rows(lived_in, "select * from deployment order by id"),
        rows(lived_in, "select * from unit order by address"),
    )
    for row in (*before[0], *after[0]):
        del row["updated_at"]
    assert after == before
    assert value(lived_in, "select count(*) from event") == events, "mending a projection is not an event"


async def test_a_difference_names_the_row_and_both_states(database: str, pool: Pool) -> None:
    await join(pool, "unit-1")
    (one,) = insert_deployments(database, address="unit-1")
    rows(database, "set session_replication_role = replica; update deployment set address = ''")
    assert await projections.verify(database) == [RowDifference("deployment_address", str(one), " v1", "unit-1 v1")]


async def test_an_event_without_its_row_is_a_difference(database: str, pool: Pool) -> None:
    await join(pool, "unit-1")
    (one,) = insert_deployments(database, address="unit-1")
    rows(database, "set session_replication_role = replica; delete from deployment")
    (found,) = await projections.verify(database)
    assert (found.key, found.live) == (str(one), None)


async def test_a_rebuild_while_claims_go_on(database: str, pool: Pool) -> None:
    """Rows that change while the log is folded are newer than the fold, and stay; units do not notice the rebuild."""
    units = [await join(pool, f"unit-{n}") for n in range(4)]
    insert_deployments(database, 60)
    ended = asyncio.Event()
    claimed = 0

    async def live(unit: Membership) -> None:
        nonlocal claimed
        stream = DecisionStream(unit)
        while not ended.is_set():
            for wanted in (await unit_reads.round_inputs(pool, 5)).candidates:
                claimed += await claim(stream, unit.address, wanted)
            for held in (await unit_reads.programs_of(pool, unit.address))[:8]:
                assert await unit.release(held, "drained")

    living = [asyncio.create_task(live(unit)) for unit in units]
    try:
        for times in range(9):
            if times % 3 == 0:
                rows(
                    database,
                    "set session_replication_role = replica; "
                    "update unit set name = 'tampered' where address = 'unit-0'",
                )
            assert (await projections.rebuild(database))["unit"] == (times % 3 == 0)
            assert await projections.verify(database) == []
    finally:
        ended.set()
        await asyncio.gather(*living)
    assert claimed > 50
    assert await projections.verify(database) == []


async def test_a_claim_waits_for_no_rebuild(database: str, pool: Pool) -> None:
    """The rebuild as it stands, uncommitted: rows can be claimed, and everything can be read."""
    unit = await join(pool, "unit-1")
    waiting, other = insert_deployments(database, 2)
    with psycopg.connect(database) as rebuilding:
        rebuilding.execute("select deployment_address_rebuild()")
        rebuilding.execute("select unit_rebuild()")
        async with asyncio.timeout(2):
            assert await claim(DecisionStream(unit), "unit-1", candidate(database, other))
            assert not (await unit.heartbeat(None, [])).fenced
            assert (await unit_reads.round_inputs(pool, 5)).candidates[0].id == waiting
    assert deployment(database, other)["address"] == "unit-1"
