"""What the clients of the original system send, and what real units make of it."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest

from nodeunit.store.read import projections
from tests.support.rows import events, rows, value
from tests.support.unit_process import UnitProcess
from tests.support.waiting import eventually

pytestmark = pytest.mark.e2e

StartUnit = Callable[..., UnitProcess]


def insert_program(database: str, command: str = "sleep 1000") -> UUID:
    (row,) = rows(
        database,
        "insert into deployment (package_name, package_version, command) values ('a', '1', %s) returning id",
        (command,),
    )
    found: UUID = row["id"]
    return found


def told(database: str, deployment_id: UUID, *types: str) -> list[dict[str, Any]]:
    return [event for event in events(database, deployment_id) if event["type"] in types]


async def until_told(database: str, deployment_id: UUID, kind: str, times: int) -> list[dict[str, Any]]:
    await eventually(
        lambda: len(told(database, deployment_id, kind)) >= times, within_s=20, what=f"{times} times {kind}"
    )
    return told(database, deployment_id, kind)


async def test_updated_at_alone_restarts_where_it_runs(database: str, start_unit: StartUnit) -> None:
    start_unit(database)
    one = insert_program(database)
    (first,) = await until_told(database, one, "ProcessStarted", 1)
    rows(database, "update deployment set updated_at = now() where id = any (%s)", ([one],))
    _, second = await until_told(database, one, "ProcessStarted", 2)
    assert second["unit_address"] == first["unit_address"]
    assert (second["data"]["claim_version"], second["data"]["revision"]) == (1, 2)
    assert [event["data"]["reason"] for event in told(database, one, "ProcessExited")] == ["stopped"]
    (asked,) = told(database, one, "DeploymentRestartRequested")
    assert (asked["stream_version"], asked["data"]) == (2, {"by": value(database, "select session_user::text")})
    assert told(database, one, "DeploymentReleased") == []


async def test_updated_at_alone_unparks(database: str, start_unit: StartUnit) -> None:
    start_unit(database)
    one = insert_program(database, "sleep '")
    await until_told(database, one, "ProcessParked", 1)
    rows(database, "update deployment set updated_at = now() where id = any (%s)", ([one],))
    await until_told(database, one, "ProcessParked", 2)


async def test_off_and_on_is_one_restart(database: str, start_unit: StartUnit) -> None:
    start_unit(database)
    one = insert_program(database)
    await until_told(database, one, "ProcessStarted", 1)
    rows(database, "update deployment set enabled = false, updated_at = now() where id = any (%s)", ([one],))
    await until_told(database, one, "ProcessExited", 1)
    rows(database, "update deployment set enabled = true, updated_at = now() where id = any (%s)", ([one],))
    await until_told(database, one, "ProcessStarted", 2)
    assert [event["type"] for event in told(database, one, "DeploymentDisabled", "DeploymentEnabled")] == [
        "DeploymentDisabled",
        "DeploymentEnabled",
    ]
    assert told(database, one, "DeploymentRestartRequested", "DeploymentReleased") == []


async def test_an_id_that_comes_back_runs_again(database: str, start_unit: StartUnit) -> None:
    unit = start_unit(database)
    one = insert_program(database)
    await until_told(database, one, "ProcessStarted", 1)
    rows(database, "delete from deployment where id = %s", (one,))
    rows(
        database,
        "insert into deployment (id, package_name, package_version, command) values (%s, 'a', '1', 'sleep 1000')",
        (one,),
    )
    _, again = await until_told(database, one, "ProcessStarted", 2)
    assert (again["data"]["claim_version"], again["data"]["revision"]) == (3, 3)
    await until_told(database, one, "ProcessExited", 1)
    assert [process.name() for process in unit.descendants()].count("sleep") == 1
    assert await projections.verify(database) == []
