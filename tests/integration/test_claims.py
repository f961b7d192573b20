"""One claim after another: what is written, what is told, and what is left alone."""

import psycopg

from nodeunit.domain.can_run import Needs
from nodeunit.domain.policy import Candidate
from nodeunit.store.postgres.connections import Pool
from nodeunit.store.read import projections
from nodeunit.store.write import membership, unit_reads
from nodeunit.store.write.decisions import Claim, DecisionStream
from tests.support.members import candidate, claim, join, leading_up_to, lose
from tests.support.rows import deployment, events, insert_deployments, rows, value


async def test_a_claim_is_one_transaction_with_all_that_led_to_it(database: str, pool: Pool) -> None:
    stream = DecisionStream(await join(pool, "unit-1"))
    (one,) = insert_deployments(database)
    (claimed,) = await stream.claim(Claim(candidate(database, one), leading_up_to("unit-1", one)))
    assert (claimed.id, claimed.address, claimed.address_version, claimed.revision) == (one, "unit-1", 1, 1)
    *_, eligibility, attempt, last = events(database)
    assert [each["type"] for each in (eligibility, attempt, last)] == [
        "DeploymentClaimEligibility",
        "DeploymentClaimAttempt",
        "DeploymentClaimed",
    ]
    assert eligibility["transaction_id"] == attempt["transaction_id"] == last["transaction_id"]
    assert last["data"] == {"deployment_id": str(one), "claimant": "unit-1"}
    assert (last["stream_id"], last["stream_version"]) == (f"assignment-{one}", 1)
    assert (attempt["deployment_id"], attempt["unit_address"]) == (one, "unit-1")
    assert deployment(database, one)["address_since"] == last["recorded_at"]


async def test_a_claim_notifies_nobody(database: str, pool: Pool) -> None:
    """A notification takes a lock over the whole server at commit: claims carry none, nor do releases."""
    unit = await join(pool, "unit-1")
    stream = DecisionStream(unit)
    one, other = insert_deployments(database, 2)
    before = value(database, "select max(number) from wake_up")
    with psycopg.connect(database, autocommit=True) as listening:
        listening.execute("listen nodeunit")
        wanted = candidate(database, one)
        assert await claim(stream, "unit-1", wanted)
        assert not await claim(stream, "unit-1", wanted)
        assert await claim(stream, "unit-1", candidate(database, other))
        for held in await unit_reads.programs_of(pool, "unit-1"):
            assert await unit.release(held, "drained")
        rows(database, "select pg_notify('nodeunit', 'the end')")
        assert [each.payload for each in listening.notifies(timeout=5, stop_after=1)] == ["the end"]
    assert value(database, "select max(number) from wake_up") == before


async def test_who_comes_second_gets_nothing_and_says_so(database: str, pool: Pool) -> None:
    first = DecisionStream(await join(pool, "unit-1"))
    second = DecisionStream(await join(pool, "unit-2"))
    (one,) = insert_deployments(database)
    wanted = candidate(database, one)
    assert await claim(first, "unit-1", wanted)
    assert not await claim(second, "unit-2", wanted)
    conflict = events(database, one)[-1]
    assert (conflict["type"], conflict["unit_address"], conflict["stream_id"]) == (
        "DeploymentClaimSkipped", "unit-2", "decision-unit-2-1",
    )  # fmt: skip
    assert conflict["data"] == {"reason": "claim_conflict", "deployment_id": str(one), "claimant": "unit-2"}
    assert deployment(database, one)["address"] == "unit-1"


async def test_a_row_that_came_back_in_between_is_another_version(database: str, pool: Pool) -> None:
    """Claimed and released since the round looked: what was decided on is not there any more."""
    unit = await join(pool, "unit-1")
    first = DecisionStream(unit)
    second = DecisionStream(await join(pool, "unit-2"))
    (one,) = insert_deployments(database)
    wanted = candidate(database, one)
    assert await claim(first, "unit-1", wanted)
    (held,) = await unit_reads.programs_of(pool, "unit-1")
    assert await unit.release(held, "drained")
    assert not await claim(second, "unit-2", wanted)
    assert await claim(second, "unit-2", candidate(database, one))
    assert deployment(database, one)["address_version"] == 3


async def test_a_takeover_is_a_release_and_a_claim_at_once(database: str, pool: Pool) -> None:
    await join(pool, "unit-1")
    taker = await join(pool, "unit-2")
    (one,) = insert_deployments(database, address="unit-1")
    await lose(pool, database, taker, "unit-1")
    assert await claim(DecisionStream(taker), "unit-2", candidate(database, one))
    released, claimed = events(database, one)[-2:]
    assert (released["type"], released["stream_version"]) == ("DeploymentReleased", 2)
    assert released["data"] == {"deployment_id": str(one), "holder": "unit-1", "reason": "unit_lost"}
    assert (claimed["type"], claimed["stream_version"]) == ("DeploymentClaimed", 3)
    assert released["transaction_id"] == claimed["transaction_id"]
    assert await projections.verify(database) == []


async def test_a_row_of_a_living_unit_is_not_taken_over(database: str, pool: Pool) -> None:
    """Seen as lost by the round, and back before its claim."""
    first = await join(pool, "unit-1")
    taker = await join(pool, "unit-2")
    (one,) = insert_deployments(database, address="unit-1")
    await lose(pool, database, taker, "unit-1")
    wanted = candidate(database, one)
    again = await join(pool, "unit-1")
    assert again.epoch > first.epoch
    assert not await claim(DecisionStream(taker), "unit-2", wanted)
    assert deployment(database, one)["address"] == "unit-1"
    assert [each.id for each in await unit_reads.programs_of(pool, "unit-1")] == [one]


async def test_a_lost_unit_is_not_emptied_in_bulk(database: str, pool: Pool) -> None:
    """One row per claim: a unit that comes back keeps what no other unit took."""
    await join(pool, "unit-1")
    taker = await join(pool, "unit-2")
    insert_deployments(database, 3, address="unit-1")
    await lose(pool, database, taker, "unit-1")
    stream = DecisionStream(taker)
    (wanted, *_) = (await unit_reads.round_inputs(pool, 64)).candidates
    assert await claim(stream, "unit-2", wanted)
    await join(pool, "unit-1")
    assert (await unit_reads.round_inputs(pool, 64)).candidates == ()
    assert len(await unit_reads.programs_of(pool, "unit-1")) == 2
    assert len(await unit_reads.programs_of(pool, "unit-2")) == 1


async def test_who_is_wrong_about_the_holder_gets_nothing(database: str, pool: Pool) -> None:
    """A living unit's row, passed off as free, and as that of a unit that is really lost."""
    await join(pool, "unit-1")
    await join(pool, "unit-2")
    taker = await join(pool, "unit-3")
    (one,) = insert_deployments(database, address="unit-1")
    await lose(pool, database, taker, "unit-2")
    stream = DecisionStream(taker)
    for holder in ("", "unit-1", "unit-2", "nobody"):
        assert not await claim(stream, "unit-3", Candidate(id=one, version=1, holder=holder))
    assert deployment(database, one)["address"] == "unit-1"


async def test_a_release_that_comes_too_late_is_no_release(database: str, pool: Pool) -> None:
    unit = await join(pool, "unit-1")
    await join(pool, "unit-2")
    (one,) = insert_deployments(database, address="unit-1")
    (held,) = await unit_reads.programs_of(pool, "unit-1")
    rows(database, "update deployment set address = 'unit-2'")
    assert not await unit.release(held, "drained")
    rows(database, "update deployment set address = 'unit-1'")
    assert not await unit.release(held, "drained")
    (again,) = await unit_reads.programs_of(pool, "unit-1")
    assert await unit.release(again, "drained")
    assert not await unit.release(again, "drained")
    assert events(database, one)[-1]["data"]["reason"] == "drained"


async def test_rounds_see_lost_units_rows_first_and_then_the_oldest(database: str, pool: Pool) -> None:
    await join(pool, "unit-1")
    taker = await join(pool, "unit-2")
    free = insert_deployments(database, 3)
    insert_deployments(database, 2, package="@other/app")
    rows(database, "update deployment set enabled = false where id = %s", (free[0],))
    orphaned = insert_deployments(database, 2, address="unit-1")
    rows(database, "insert into deployment (type) values ('daemon')")
    await lose(pool, database, taker, "unit-1")
    inputs = await unit_reads.round_inputs(pool, 64, [Needs("@other/app@1.0.0", runtime="npm")])
    assert [unit.address for unit in inputs.units] == ["unit-2"]
    assert [each.id for each in inputs.candidates] == orphaned + free[1:]
    assert [each.holder for each in inputs.candidates] == ["unit-1"] * 2 + [""] * 2
    assert len((await unit_reads.round_inputs(pool, 3)).candidates) == 3
    rows(database, "update deployment set command = 'x' where package_name = '@other/app' and address = ''")
    refused = [Needs("@other/app@1.0.0", runtime="npm"), Needs("@yuants/app@1.0.0", True, "command")]
    with_commands = (await unit_reads.round_inputs(pool, 64, refused)).candidates
    assert sorted((each.package, each.has_command) for each in with_commands) == [
        *[("@other/app@1.0.0", True)] * 2, *[("@yuants/app@1.0.0", False)] * 4,
    ]  # fmt: skip


async def test_a_disabled_row_is_stopped_and_stays_with_its_unit(database: str, pool: Pool) -> None:
    """Enabled again, it runs where it ran: nothing is released, and no other unit may claim it in between."""
    unit = await join(pool, "unit-1")
    (one,) = insert_deployments(database)
    assert await claim(DecisionStream(unit), "unit-1", candidate(database, one))
    rows(database, "update deployment set enabled = false")
    assert await unit.programs() == []
    assert (await unit.round_inputs(1)).candidates == ()
    assert (deployment(database, one)["address"], deployment(database, one)["address_version"]) == ("unit-1", 1)
    rows(database, "update deployment set enabled = true")
    assert [(each.id, each.address_version) for each in await unit.programs()] == [(one, 1)]
    assert "DeploymentReleased" not in [event["type"] for event in events(database, one)]


async def test_programs_of_a_unit_are_its_rows_and_every_daemon(database: str, pool: Pool) -> None:
    await join(pool, "unit-1")
    mine, disabled = insert_deployments(database, 2, address="unit-1")
    insert_deployments(database)
    rows(database, "update deployment set enabled = false where id = %s", (disabled,))
    rows(
        database,
        "insert into deployment (type, args, env, enabled) values "
        "('daemon', '[\"a\"]', '{\"K\": \"v\"}', true), ('daemon', '[]', '{}', false)",
    )
    programs = await unit_reads.programs_of(pool, "unit-1")
    assert {each.id for each in programs if each.type == "deployment"} == {mine}
    assert [(each.args, each.env) for each in programs if each.type == "daemon"] == [(["a"], {"K": "v"})]
    assert [each.type for each in await unit_reads.programs_of(pool, "unit-2")] == ["daemon"]
    assert await membership.lease_of(pool, "unit-2") is None
