"""Giving rows away in order: a unit that leaves, and one that an operator empties."""

import asyncio
from collections.abc import Callable

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
    waited = rows(
        database,
        "select extract(epoch from c.recorded_at - r.recorded_at)::float8 as s from event r join event c "
        "on c.stream_id = r.stream_id and c.stream_version = r.stream_version + 1 "
        "where r.type = 'DeploymentReleased' and c.type = 'DeploymentClaimed'",
    )
    assert len(waited) == 3
    assert min(row["s"] for row in waited) < 0.1


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
