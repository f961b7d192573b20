"""Giving rows away in order: a unit that leaves, and one that an operator empties."""

import asyncio
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable

import psycopg
import pytest

from nodeunit.store.postgres.connections import connect
from nodeunit.store.write import operators
from tests.support.rows import rows, value
from tests.support.unit_process import UnitProcess
from tests.support.waiting import eventually

pytestmark = pytest.mark.e2e

StartUnit = Callable[..., UnitProcess]


def insert_sleepers(database: str, count: int) -> None:
    rows(
        database,
        "insert into deployment (package_name, package_version, command) "
        "select 'a', '1', 'sleep 1000' from generate_series(1, %s)",
        (count,),
    )


def held(database: str) -> dict[str, int]:
    counted = rows(database, "select address, count(*) as rows from deployment group by address")
    return {row["address"]: row["rows"] for row in counted}


def nodeunit(database: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """The command as an operator types it."""
    return subprocess.run(
        [sys.executable, "-P", "-m", "nodeunit", *arguments, "-d", database],
        capture_output=True, text=True, check=False, timeout=60, env={"PATH": os.environ["PATH"]},
    )  # fmt: skip


def running(database: str) -> dict[str, int]:
    """Programs that run, by unit, as their last event has it."""
    last = rows(
        database,
        "select distinct on (deployment_id) deployment_id, type, unit_address from event "
        "where type in ('ProcessStarted', 'ProcessExited') order by deployment_id, position desc",
    )
    return dict(Counter(row["unit_address"] for row in last if row["type"] == "ProcessStarted"))


async def two_units(database: str, start_unit: StartUnit) -> tuple[UnitProcess, UnitProcess]:
    """Two units with three programs each."""
    one, two = start_unit(database, name="one"), start_unit(database, name="two")
    await eventually(
        lambda: value(database, "select count(*) from unit where membership = 'present'") == 2, what="both joined"
    )
    insert_sleepers(database, 6)
    await eventually(lambda: held(database) == {one.address: 3, two.address: 3}, what="they share the rows")
    return one, two


async def test_who_is_terminated_leaves_nothing_behind(database: str, start_unit: StartUnit) -> None:
    one, two = await two_units(database, start_unit)
    one.terminate()
    assert await asyncio.to_thread(one.wait) == 0
    await eventually(lambda: held(database) == {two.address: 6}, what="the other one has it all")
    assert value(database, "select membership from unit where address = %s", (one.address,)) == "left"
    woken = rows(
        database,
        "select data ->> 'wake_up' as by from event where type = 'DeploymentClaimRound' and unit_address = %s "
        "and data ->> 'outcome' = 'claim' order by position desc limit 3",
        (two.address,),
    )
    assert {row["by"] for row in woken} - {"heartbeat"}, "the one that left wakes who can take its rows"


async def test_an_operator_empties_a_unit_row_by_row(database: str, start_unit: StartUnit) -> None:
    one, two = await two_units(database, start_unit)
    async with await connect(database, "operator") as connection:
        await operators.drain(connection, one.address, 30)
    await eventually(lambda: held(database) == {two.address: 6}, what="all rows have moved")
    moves = rows(
        database,
        "select type from event where stream_id like 'assignment-%%' and type in "
        "('DeploymentReleased', 'DeploymentClaimed') order by position offset 6",
    )
    assert [move["type"] for move in moves] == ["DeploymentReleased", "DeploymentClaimed"] * 3
    insert_sleepers(database, 1)
    await eventually(lambda: held(database) == {two.address: 7}, what="a cordoned unit claims nothing")
    async with await connect(database, "operator") as connection:
        await operators.uncordon(connection, one.address)
    insert_sleepers(database, 1)
    await eventually(lambda: held(database) == {one.address: 1, two.address: 7}, what="it claims again")


async def test_to_uncordon_a_unit_ends_its_drain_and_leaves_no_row_behind(database: str, start_unit: StartUnit) -> None:
    one, two = await two_units(database, start_unit)
    await eventually(lambda: running(database) == {one.address: 3, two.address: 3}, what="all run")
    async with await connect(database, "operator") as connection:
        await operators.cordon(connection, two.address)  # so that the drain waits for each row to be taken
        await operators.drain(connection, one.address, 300)
        await eventually(lambda: held(database).get("", 0) > 0, what="the first row is given back")
        await operators.uncordon(connection, one.address)
    await eventually(lambda: running(database) == {one.address: 3, two.address: 3}, what="all run again")
    drained = value(database, "select count(*) from event where type = 'UnitDrained'")
    assert drained == 0
    released = value(database, "select count(*) from event where type = 'DeploymentReleased'")
    later = "select extract(epoch from max(l.renewed_at) - max(e.recorded_at)) > 7 from lease l, event e"
    await eventually(lambda: value(database, later), within_s=20, what="a drain that went on would have stopped more")
    assert value(database, "select count(*) from event where type = 'DeploymentReleased'") == released
    assert running(database) == {one.address: 3, two.address: 3}


async def test_a_drain_gives_disabled_rows_back_and_says_where_each_row_went(
    database: str, start_unit: StartUnit
) -> None:
    one, two = await two_units(database, start_unit)
    (disabled,) = rows(
        database,
        "update deployment set enabled = false where id = "
        "(select id from deployment where address = %s order by id limit 1) returning id",
        (one.address,),
    )
    drained = await asyncio.to_thread(nodeunit, database, "drain", "one", "--deadline", "20")
    assert (drained.returncode, drained.stderr) == (0, "")
    said = drained.stdout.splitlines()
    assert said[-1] == "unit/one drained"
    assert sorted(line.rpartition(": ")[2] for line in said[:-1]) == ["nobody, disabled", "unit/two", "unit/two"]
    assert any(line.startswith(f"deployment/{disabled['id']} a@1: nobody") for line in said)
    assert held(database) == {two.address: 5, "": 1}


async def test_a_program_runs_on_while_its_row_is_locked_and_moves_when_the_lock_is_gone(
    database: str, start_unit: StartUnit
) -> None:
    one, two = await two_units(database, start_unit)
    await eventually(lambda: running(database) == {one.address: 3, two.address: 3}, what="all run")
    with psycopg.connect(database) as person:
        # The first row that a drain would take, so that it meets the lock before anything else.
        locked = person.execute(
            "select id from deployment where address = %s order by id limit 1 for update", (one.address,)
        ).fetchone()
        async with await connect(database, "operator") as connection:
            await operators.drain(connection, one.address, 300)
        await eventually(lambda: held(database) == {one.address: 1, two.address: 5}, what="the other rows have moved")
        await eventually(lambda: running(database) == {one.address: 1, two.address: 5}, what="and run there")
        person.rollback()
    await eventually(lambda: running(database) == {two.address: 6}, what="the row has moved")
    told = rows(
        database,
        "select type, unit_address from event where deployment_id = %s and type like 'Process%%' order by position",
        locked,
    )
    assert [(event["type"], event["unit_address"]) for event in told] == [
        ("ProcessStarted", one.address), ("ProcessExited", one.address), ("ProcessStarted", two.address),
    ]  # fmt: skip


async def test_a_drain_that_would_leave_rows_with_nobody_is_refused_without_force(
    database: str, start_unit: StartUnit
) -> None:
    one, two = await two_units(database, start_unit)
    await asyncio.to_thread(nodeunit, database, "cordon", "two")
    refused = await asyncio.to_thread(nodeunit, database, "drain", "one")
    assert refused.returncode == 32
    assert "no other unit can take 3 of the 3 rows of one" in refused.stderr
    assert "--force" in refused.stderr
    assert held(database) == {one.address: 3, two.address: 3}
    forced = await asyncio.to_thread(nodeunit, database, "drain", "one", "--force", "--deadline", "20")
    assert forced.returncode == 0
    assert [line.rpartition(": ")[2] for line in forced.stdout.splitlines()[:-1]] == ["nobody"] * 3
    assert held(database) == {"": 3, two.address: 3}
