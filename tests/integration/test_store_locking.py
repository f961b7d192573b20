"""Units and people at the same rows at the same time: none deadlocks, and no decision is overwritten."""

import asyncio
import random
import threading
import time
from collections.abc import Iterator
from typing import LiteralString
from uuid import UUID

import psycopg
import pytest

from nodeunit.domain.deployment import Assignment, Deployment, evolve
from nodeunit.domain.event_json import decode
from nodeunit.domain.policy import Usage
from nodeunit.errors import RowLocked
from nodeunit.store.postgres import connections
from nodeunit.store.postgres.connections import Pool
from nodeunit.store.read import projections
from nodeunit.store.write import unit_reads
from nodeunit.store.write.decisions import DecisionStream
from nodeunit.store.write.membership import Membership, ProgramSample
from tests.support.locks import started
from tests.support.members import candidate, claim, join, lose, turn_back_leases
from tests.support.rows import deployment, insert_deployments, rows, value


@pytest.fixture
def person(database: str) -> Iterator[psycopg.Connection]:
    """A session that commits when it likes."""
    with psycopg.connect(database) as connection:
        yield connection
        connection.rollback()


async def test_a_claim_does_not_wait_for_a_person(database: str, pool: Pool, person: psycopg.Connection) -> None:
    unit = await join(pool, "unit-1")
    stream = DecisionStream(unit)
    held_up, other = insert_deployments(database, 2)
    wanted = candidate(database, held_up)
    person.execute("update deployment set command = 'x' where id = %s", (held_up,))
    async with asyncio.timeout(1):
        assert not await claim(stream, "unit-1", wanted)
        assert await claim(stream, "unit-1", candidate(database, other))
    person.commit()
    assert await claim(stream, "unit-1", candidate(database, held_up))


async def test_a_hand_that_moves_a_row_to_a_unit_does_not_wait_for_a_claim_of_that_unit(
    database: str, pool: Pool, person: psycopg.Connection
) -> None:
    await join(pool, "unit-1")
    claimed, moved = insert_deployments(database, 2)
    claiming = (
        "select id from claim_deployments('unit-1', 1, 0, jsonb_build_array(jsonb_build_object("
        "'deployment_id', %s::uuid, 'version', 0, 'holder', '', 'event_id', gen_random_uuid(), 'events', '[]'::jsonb)))"
    )
    with psycopg.connect(database) as unit:
        assert unit.execute(claiming, (claimed,)).fetchone() == (claimed,), "the unit is frozen before its commit"
        person.execute("set lock_timeout = '1s'")
        person.execute("update deployment set address = 'unit-1' where id = %s", (moved,))
        person.commit()
    assert {deployment(database, row)["address"] for row in (claimed, moved)} == {"unit-1"}
    assert await projections.verify(database) == []


async def test_a_release_and_a_hand_at_one_row_do_not_deadlock(
    database: str, pool: Pool, person: psycopg.Connection
) -> None:
    unit = await join(pool, "unit-1")
    (one,) = insert_deployments(database, address="unit-1")
    (held,) = await unit_reads.programs_of(pool, "unit-1")
    person.execute("update deployment set command = 'x' where id = %s", (one,))
    releasing = asyncio.create_task(unit.release(held, "drained"))
    await asyncio.wait((releasing,), timeout=0.2)
    assert not releasing.done()
    person.execute("update deployment set address = '' where id = %s", (one,))
    person.commit()
    assert await releasing is False
    assert (deployment(database, one)["address"], deployment(database, one)["address_version"]) == ("", 2)
    assert await projections.verify(database) == []


async def test_a_release_and_a_deletion_of_one_row_do_not_deadlock(
    database: str, pool: Pool, person: psycopg.Connection
) -> None:
    unit = await join(pool, "unit-1")
    (one,) = insert_deployments(database, address="unit-1")
    (held,) = await unit_reads.programs_of(pool, "unit-1")
    person.execute("select from deployment where id = %s for update", (one,))
    releasing = asyncio.create_task(unit.release(held, "drained"))
    await asyncio.wait((releasing,), timeout=0.2)
    assert not releasing.done()
    person.execute("delete from deployment")
    person.commit()
    assert await releasing is False
    assert await projections.verify(database) == []


OPEN: dict[str, LiteralString] = {
    "a deletion": "delete from deployment where id = %(row)s",
    "a change": "update deployment set command = 'x', enabled = false where id = %(row)s",
    "a move": "update deployment set address = '' where id = %(row)s",
    "a lock": "select from deployment where id = %(row)s for update",
    "an insert": "insert into deployment (package_name) values ('@yuants/app')",
    "a cordon": "select cordon_unit('unit-1')",
    "an uncordon": "select uncordon_unit('unit-1')",
    "a drain": "select drain_unit('unit-1', interval '1 hour')",
}
"""What an operator can leave open that concerns `unit-1` and the first of its two rows."""


@pytest.mark.parametrize("what", OPEN)
async def test_a_heartbeat_waits_for_no_transaction_of_a_person(
    database: str, pool: Pool, person: psycopg.Connection, what: str
) -> None:
    unit, other = await join(pool, "unit-1"), await join(pool, "unit-2")
    one, two = insert_deployments(database, 2, address="unit-1")
    samples = [ProgramSample(each, 1, 1.0, 1.0) for each in (one, two)]
    await unit.heartbeat(Usage(1.0, 1.0), samples)
    before = value(database, "select max(sampled_at) from current_usage")
    person.execute(OPEN[what], {"row": one})
    async with asyncio.timeout(1):
        assert not (await unit.heartbeat(Usage(1.0, 1.0), samples)).fenced
    sampled = {
        row["deployment_id"] for row in rows(database, "select * from current_usage where sampled_at > %s", (before,))
    }
    assert sampled >= {two}, "the other row is sampled"
    releasing = asyncio.create_task(_released(unit, await unit_reads.programs_of(pool, "unit-1")))
    async with asyncio.timeout(1):
        assert not (await unit.heartbeat(Usage(1.0, 1.0), samples)).fenced
        assert not (await other.heartbeat(Usage(1.0, 1.0), [])).fenced
        assert await claim(DecisionStream(other), "unit-2", candidate(database, insert_deployments(database)[0]))
    await releasing
    assert deployment(database, two)["address"] == "", "the other row is released"


async def _released(unit: Membership, held: list[Deployment]) -> None:
    for row in held:
        try:
            await unit.release(row, "drained")
        except RowLocked:
            pass  # the one that the person has


async def test_a_lost_unit_is_found_though_a_person_has_another_one_in_hand(
    database: str, pool: Pool, person: psycopg.Connection
) -> None:
    finder = await join(pool, "finder")
    for address in ("in-hand", "lost"):
        await join(pool, address)
    person.execute("select cordon_unit('in-hand')")
    turn_back_leases(database, "in-hand", "lost")
    async with asyncio.timeout(1):
        assert await finder.declare_lost(["in-hand", "lost"]) == ["lost"]
    person.commit()
    assert await finder.declare_lost(["in-hand", "lost"]) == ["in-hand"]
    assert await projections.verify(database) == []


async def test_claims_from_a_lost_unit_and_words_about_it_do_not_deadlock(database: str, pool: Pool) -> None:
    """One lock order: a claim holds its own lease and looks at that of whom it takes from, which is the smaller one."""
    finder = await join(pool, "unit-2")
    await join(pool, "unit-1")
    wanted = insert_deployments(database, 200, address="unit-1")
    await lose(pool, database, finder, "unit-1")
    stream = DecisionStream(finder)
    for each in wanted:
        seen = candidate(database, each)
        won, *said = await asyncio.gather(
            claim(stream, "unit-2", seen), finder.declare_lost(["unit-1"]), finder.declare_lost(["unit-1"])
        )
        assert (won, said) == (True, [[], []])


async def test_heartbeats_and_a_deletion_of_many_rows_do_not_deadlock(database: str, pool: Pool) -> None:
    """Both take rows of current_usage; the heartbeat leaves out what it would have to wait for."""
    unit = await join(pool, "unit-1")
    first, second = insert_deployments(database, 2, address="unit-1")
    for each in (second, first):  # where they lie in the table
        await unit.heartbeat(None, [ProgramSample(each, 1, 1.0, 1.0)])
    with psycopg.connect(database) as obstacle:
        obstacle.execute("select from current_usage where deployment_id = %s for update", (first,))
        deleting = await started(database, asyncio.to_thread(rows, database, "delete from deployment"), waiting=1)
        samples = [ProgramSample(each, 1, 2.0, 2.0) for each in (second, first)]
        async with asyncio.timeout(1):
            assert not (await unit.heartbeat(None, samples)).fenced
        obstacle.commit()
        await deleting
    assert value(database, "select count(*) from current_usage") == 0


async def test_a_row_disabled_in_between_is_not_claimed(database: str, pool: Pool) -> None:
    stream = DecisionStream(await join(pool, "unit-1"))
    disabled, deleted, daemon = insert_deployments(database, 3)
    candidates = [candidate(database, each) for each in (disabled, deleted, daemon)]
    rows(database, "update deployment set enabled = false where id = %s", (disabled,))
    rows(database, "delete from deployment where id = %s", (deleted,))
    rows(database, "update deployment set type = 'daemon' where id = %s", (daemon,))
    for each in candidates:
        assert not await claim(stream, "unit-1", each)
    assert value(database, "select count(*) from event where type = 'DeploymentClaimed'") == 0


async def units_at_work(database: str, address: str, until: float, seen: set[str]) -> None:
    """Claims what is free and gives it back, as fast as it can."""
    async with connections.pool(database, address, max_size=2) as pool:
        unit = await join(pool, address)
        stream = DecisionStream(unit)
        while time.monotonic() < until:
            inputs = await unit_reads.round_inputs(pool, 64)
            for wanted in random.sample(inputs.candidates, min(4, len(inputs.candidates))):
                seen.add("claimed" if await claim(stream, address, wanted) else "conflict")
            held = await unit_reads.programs_of(pool, address)
            samples = [ProgramSample(each.id, each.address_version, 1.0, 1.0) for each in held]
            assert not (await unit.heartbeat(None, samples)).fenced
            for each in random.sample(held, len(held) // 2):
                seen.add("released" if await unit.release(each, "drained") else "too late")


STATEMENTS = (
    "insert into deployment (package_name) select '@yuants/app' from generate_series(1, 3)",
    "update deployment set enabled = not enabled where random() < 0.2",
    "update deployment set command = random()::text where random() < 0.2",
    "update deployment set address = '' where random() < 0.2",
    "update deployment set address = 'unit-' || ceil(random() * 2) where enabled and random() < 0.2",
    "delete from deployment where random() < 0.1",
)


def people_at_work(database: str, until: float, done: list[str]) -> None:
    """One after another, as one person does; every error is an error."""
    with psycopg.connect(database, autocommit=True) as connection:
        while time.monotonic() < until:
            statement = random.choice(STATEMENTS)
            connection.execute(statement)
            done.append(statement)


async def test_people_and_units_at_the_same_rows(database: str, pool: Pool) -> None:
    """For a few seconds. The person sees no deadlock, and the log tells of no claim of a disabled or deleted row."""
    await join(pool, "unit-1")
    await join(pool, "unit-2")
    insert_deployments(database, 40)
    until = time.monotonic() + 4
    seen: set[str] = set()
    done: list[str] = []
    failed: list[BaseException] = []

    def person() -> None:
        try:
            people_at_work(database, until, done)
        except BaseException as error:  # noqa: BLE001 — it is the finding
            failed.append(error)

    typing = threading.Thread(target=person)
    typing.start()
    await asyncio.gather(*(units_at_work(database, f"unit-{n}", until, seen) for n in range(3, 7)))
    typing.join(30)

    assert not failed
    assert set(STATEMENTS) == set(done)
    assert {"claimed", "conflict", "released"} <= seen
    assert value(database, "select deadlocks from pg_stat_database where datname = current_database()") == 0
    no_claim_of_what_must_not_run(database)
    assert await projections.verify(database) == []


def no_claim_of_what_must_not_run(database: str) -> None:
    """Events of one deployment are written under the lock of its row: their positions are their order."""
    state: dict[UUID, Assignment] = {}
    runs: dict[UUID, bool] = {}
    for event in rows(
        database,
        "select deployment_id, stream_id, stream_version, type, data::text as data, data ->> 'enabled' as enabled "
        "from event where deployment_id is not null order by position",
    ):
        one = event["deployment_id"]
        match event["type"]:
            case "DeploymentCreated" | "DeploymentChanged":
                runs[one] = event["enabled"] == "true"
            case "DeploymentEnabled" | "DeploymentDisabled" | "DeploymentDeleted":
                runs[one] = event["type"] == "DeploymentEnabled"
            case "DeploymentClaimed":
                assert runs[one], f"{one} was claimed although it was disabled or deleted"
        if event["stream_id"].startswith("assignment-"):
            state[one] = evolve(
                state.get(one, Assignment()), event["stream_version"], decode(event["type"], event["data"])
            )
