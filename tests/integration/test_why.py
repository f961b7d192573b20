"""Why a deployment is where it is, and who would claim it: for each unit what decided, from what was recorded."""

import asyncio
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
import pytest
from typer.testing import CliRunner

from nodeunit.audit import plan as planning
from nodeunit.audit import why
from nodeunit.audit.plan import Plan
from nodeunit.audit.why import Explanation
from nodeunit.cli.app import app
from nodeunit.domain.program_events import ProcessExited, ProcessParked, ProcessStarted
from nodeunit.errors import DeploymentUnknown
from nodeunit.store.postgres.connections import Pool
from nodeunit.store.read import event_log
from tests.support.members import candidate, lose
from tests.support.members import claim as claim_without_round
from tests.support.rounds import claim_all, deciding
from tests.support.rows import insert_deployments, rows, value
from tests.support.waiting import eventually


async def explain(conninfo: str, row: UUID, at: datetime | None = None) -> Explanation:
    async with await event_log.open_log(conninfo, "test") as connection:
        return await why.explain(connection, str(row), at)


async def plan(conninfo: str, row: UUID) -> Plan:
    async with await event_log.open_log(conninfo, "test") as connection:
        return await planning.plan(connection, str(row))


def verdicts(found: Explanation | Plan) -> dict[str, str]:
    return {one.address: one.verdict for one in found.verdicts}


def now(conninfo: str) -> datetime:
    at: datetime = value(conninfo, "select clock_timestamp()")
    return at


async def test_every_predicate_that_decides(database: str, pool: Pool) -> None:
    claimant = await deciding(pool, "unit-a", policy="resource_usage")
    higher = await deciding(pool, "unit-b", policy="resource_usage")
    await deciding(pool, "unit-c", policy="resource_usage")  # never samples itself
    await deciding(pool, "unit-d", policy="none")
    await deciding(pool, "unit-e", policy="resource_usage", trusted="^@others/")
    await deciding(pool, "unit-f", policy="resource_usage")
    rows(database, "select cordon_unit('unit-f')")
    await deciding(pool, "unit-g", policy="resource_usage", lease_ttl_s=0.002)
    await claimant.sample(1.0, 102.4)
    await higher.sample(2.0, 102.4)
    (row,) = insert_deployments(database, 1)
    quiet = "select inactive_at < clock_timestamp() from lease where address = 'unit-g'"
    await eventually(lambda: value(database, quiet), what="unit-g takes no part in rounds")
    assert (await claimant.look()).outcome == "claim"

    found = await explain(database, row)
    assert (found.state, found.holder, found.holder_name, found.version) == ("held", "unit-a", "unit-a", 1)
    assert found.because == ["claimed in a round that ran because of: deployment"]
    assert verdicts(found) == {
        "unit-a": "takes_it",
        "unit-b": "higher",
        "unit-c": "missing",
        "unit-d": "policy_none",
        "unit-e": "untrusted",
        "unit-f": "cordoned",
        "unit-g": "not_active",
    }
    b = next(one for one in found.verdicts if one.address == "unit-b")
    assert [b.value, b.to_beat] == pytest.approx([1.05, 0.55])
    assert b.because == "resource_usage 1.0500 > resource_usage 0.5500"
    assert found.program == "not started yet"


async def test_ties_go_by_address_and_by_turn(database: str, pool: Pool) -> None:
    a, b, _ = [await deciding(pool, f"unit-{name}") for name in "abc"]
    first, second = sorted(insert_deployments(database, 2))
    seen = (await a.look()).recorded
    await b.look(seen)
    taken = {row: (await explain(database, row)).holder for row in (first, second)}
    assert set(taken.values()) == {"unit-a", "unit-b"}
    of_a = next(row for row, holder in taken.items() if holder == "unit-a")
    assert verdicts(await explain(database, of_a)) == {"unit-a": "takes_it", "unit-b": "takes_another", "unit-c": "tie"}


async def test_why_nobody_has_it(database: str, pool: Pool) -> None:
    (row,) = insert_deployments(database, 1, package="@nobody/app")
    assert (await explain(database, row)).because == ["no unit is in the fleet"]
    unit = await deciding(pool, "unit-a")
    assert (await explain(database, row)).because == ["no unit can run it"]
    assert verdicts(await explain(database, row)) == {"unit-a": "untrusted"}
    (other,) = insert_deployments(database, 1)
    found = await explain(database, other)
    assert (found.state, found.because) == ("waiting", ["no unit has run a round since it became free"])
    assert verdicts(found) == {"unit-a": "no_round"}
    await unit.look()
    found = await explain(database, row)
    assert verdicts(found) == {"unit-a": "untrusted"}
    assert found.verdicts[0].because == "@nobody/app@1.0.0 does not match what it trusts: ^@yuants/"
    assert found.decided_by == "unit-a"


async def test_a_command_that_no_unit_runs(database: str, pool: Pool) -> None:
    off = await deciding(pool, "unit-a")
    (row,) = insert_deployments(database, 1)
    rows(database, "update deployment set command = 'x'")
    assert (await off.look()).outcome == "skip"
    found = await explain(database, row)
    assert (found.because, verdicts(found)) == (["no unit can run it"], {"unit-a": "commands_off"})
    assert verdicts(await plan(database, row)) == {"unit-a": "commands_off"}
    on = await deciding(pool, "unit-b", custom_command=True)
    assert (await plan(database, row)).claimant == "unit-b"
    assert (await on.look()).outcome == "claim"
    assert verdicts(await explain(database, row)) == {"unit-a": "commands_off", "unit-b": "takes_it"}


async def test_a_row_whose_turn_has_not_come(database: str, pool: Pool) -> None:
    unit = await deciding(pool, "unit-a")
    ids = insert_deployments(database, 2)
    await unit.look()
    (found,) = [each for row in ids if not (each := await explain(database, row)).holder]
    assert found.because == ["other rows come before it"]
    assert verdicts(found) == {"unit-a": "takes_another"}


async def test_by_hand_released_disabled_deleted(database: str, pool: Pool) -> None:
    unit = await deciding(pool, "unit-a")
    other = await deciding(pool, "unit-b")
    before = now(database)
    (row,) = insert_deployments(database, 1, address="unit-a")
    found = await explain(database, row)
    assert (found.state, found.because) == ("held", ["assigned by hand, by test"])

    await unit.release(row)
    found = await explain(database, row)
    assert found.state == "waiting"
    assert found.because[-1] == "before, unit-a gave it back while it drained"

    rows(database, "select cordon_unit('unit-a')")
    await other.look()
    rows(database, "select uncordon_unit('unit-a')")
    await lose(pool, database, unit.unit, "unit-b")
    await unit.look()
    found = await explain(database, row)
    assert found.holder == "unit-a"
    assert found.because == ["claimed in a round that ran because of: deployment", "before, unit-b was lost"]

    rows(database, "update deployment set address = '', enabled = false")
    found = await explain(database, row)
    assert (found.state, len(found.because)) == ("disabled", 1)
    assert found.because[0].startswith("disabled by test at ")
    rows(database, "delete from deployment")
    found = await explain(database, row)
    assert (found.state, found.because) == ("deleted", ["deleted by test"])
    assert (await explain(database, row, before)).state == "not_yet"
    rows(database, "insert into deployment (id, type) values ('00000000-0000-4000-8000-000000000001', 'daemon')")
    assert (await explain(database, UUID("00000000-0000-4000-8000-000000000001"))).state == "daemon"


async def test_the_answer_of_then_is_not_that_of_now(database: str, pool: Pool) -> None:
    a, b = await deciding(pool, "unit-a"), await deciding(pool, "unit-b")
    (row,) = insert_deployments(database, 1)
    waiting = now(database)
    await claim_all([a])
    with_a = now(database)
    await a.release(row)
    rows(database, "select cordon_unit('unit-a')")
    await claim_all([b])
    assert (await explain(database, row, waiting)).state == "waiting"
    then, at_last = await explain(database, row, with_a), await explain(database, row)
    assert (then.holder, at_last.holder) == ("unit-a", "unit-b")
    assert verdicts(then) == {"unit-a": "takes_it", "unit-b": "tie"}
    assert verdicts(at_last) == {"unit-a": "cordoned", "unit-b": "takes_it"}


async def test_what_became_of_the_program(database: str, pool: Pool) -> None:
    unit = await deciding(pool, "unit-a")
    (row,) = insert_deployments(database, 1)
    await unit.look()
    started = ProcessStarted(row, 4711, "123", 1, 1)
    await unit.stream.append(started)
    assert " as pid 4711" in (await explain(database, row)).program
    await unit.stream.append(ProcessExited(row, 4711, 3, None, 0.25, "exited", ""))
    assert (await explain(database, row)).program.endswith("exited, exit code 3, after 0.2 s")
    await unit.stream.append(started)
    assert (await explain(database, row)).program.endswith("as pid 4711, after 1 ends")
    await unit.stream.append(ProcessParked(row, "crash_loop", "ended 10 times in a row"))
    program = (await explain(database, row)).program
    assert program.endswith("(crash_loop): ended 10 times in a row; change the row to try again")


async def test_a_claim_without_inputs_says_so(database: str, pool: Pool) -> None:
    unit = await deciding(pool, "unit-a")
    (row,) = insert_deployments(database, 1)
    await claim_without_round(unit.stream, unit.address, candidate(database, row))
    found = await explain(database, row)
    assert found.because == ["claimed, and the inputs of that round are not recorded"]
    assert found.verdicts == []


async def test_a_plan_writes_nothing_and_comes_true(database: str, pool: Pool) -> None:
    units = [await deciding(pool, f"unit-{name}", policy="resource_usage") for name in "ab"]
    await units[0].sample(5.0, 100.0)
    await units[1].sample(1.0, 100.0)
    first, second = insert_deployments(database, 2)
    before = value(database, "select count(*) from event")
    plans = [await plan(database, row) for row in (first, second)]
    assert value(database, "select count(*) from event") == before
    assert [found.claimant for found in plans] == ["unit-b", "unit-b"]
    assert {found.before_it for found in plans} == {0, 1}
    assert next(found for found in plans if found.before_it).because == ["1 rows come before it"]
    await claim_all(units)
    held = (await explain(database, first)).holder
    assert held == plans[0].claimant or plans[0].before_it
    found = await plan(database, first)
    assert not found.may_be_claimed
    assert found.because == [f"{held} has it; this is the unit that would claim it if it were free"]


async def test_a_plan_for_a_row_that_nobody_may_claim(database: str, pool: Pool) -> None:
    unit = await deciding(pool, "unit-a")
    (row,) = insert_deployments(database, 1, package="@nobody/app")
    found = await plan(database, row)
    assert (found.claimant, verdicts(found)) == ("", {"unit-a": "untrusted"})
    rows(database, "update deployment set enabled = false, package_name = '@yuants/app'")
    found = await plan(database, row)
    assert (found.claimant, found.may_be_claimed) == ("unit-a", False)
    assert found.because == ["it is disabled, and not claimed before it is enabled"]
    rows(database, "update deployment set enabled = true")
    await unit.look()
    finder = await deciding(pool, "unit-b")
    await lose(pool, database, finder.unit, "unit-a")
    found = await plan(database, row)
    assert (found.claimant, found.may_be_claimed) == ("unit-b", True)
    assert found.because == ["unit-a has it and is not in the fleet any more"]
    rows(database, "delete from deployment")
    with pytest.raises(DeploymentUnknown, match="was deleted"):
        await plan(database, row)


async def test_the_commands(database: str, pool: Pool) -> None:
    unit = await deciding(pool, "unit-a")
    (row,) = insert_deployments(database, 1)
    planned = await call("plan", "-d", database, str(row)[:8])
    assert planned.splitlines()[1] == "unit-a would claim it"
    await unit.look()
    text = await call("why", "-d", database, str(row)[:8])
    assert text.splitlines()[1].startswith("held by unit-a (unit-a) since ")
    assert "UNIT" in text
    assert "takes it" in text
    found = msgspec.json.decode(await call("why", "-d", database, str(row), "-o", "json"), type=Explanation)
    assert found == await explain(database, row)
    assert msgspec.json.decode(await call("plan", "-d", database, str(row), "-o", "json"), type=Plan).holder == "unit-a"


async def call(*arguments: str) -> str:
    result: Any = await asyncio.to_thread(CliRunner().invoke, app, arguments)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 0, result.output
    return str(result.stdout)
