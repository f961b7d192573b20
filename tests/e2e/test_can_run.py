"""A row goes to a unit that can run it, and one that no unit can run costs nothing while it waits."""

from collections.abc import Callable
from typing import LiteralString
from uuid import UUID

import psycopg
import pytest
from psycopg import sql

from tests.support.rows import deployment, insert_deployments, rows, value
from tests.support.unit_process import UnitProcess
from tests.support.waiting import eventually

pytestmark = pytest.mark.e2e


def insert_command(database: str) -> UUID:
    (row,) = rows(
        database,
        "insert into deployment (package_name, package_version, command) values ('a', '1', 'sleep 1000') returning id",
    )
    found: UUID = row["id"]
    return found


async def test_a_row_that_no_unit_can_run_is_not_looked_at_with_each_heartbeat(
    database: str, start_unit: Callable[..., UnitProcess]
) -> None:
    name = value(database, "select current_database()::text")
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(sql.SQL("alter database {} set track_functions = 'pl'").format(sql.Identifier(name)))
    insert_command(database)
    start_unit(database, ENABLE_CUSTOM_COMMAND="false", NODE_UNIT_HEARTBEAT_INTERVAL="0.2")

    def calls(function: str) -> int:
        query: LiteralString = "select coalesce(sum(calls), 0)::integer from pg_stat_user_functions where funcname = %s"
        return int(value(database, query, (function,)))

    await eventually(lambda: calls("heartbeat") > 10, what="heartbeats are counted")
    looks, beats = calls("inputs_of_round"), calls("heartbeat")
    assert looks > 0
    await eventually(lambda: calls("heartbeat") > beats + 20, what="twenty more heartbeats")
    assert calls("inputs_of_round") <= looks + 1
    plain = insert_deployments(database)[0]
    await eventually(lambda: deployment(database, plain)["address"], what="it claims what it can run")


async def test_a_unit_without_commands_neither_claims_them_nor_holds_them_up(
    database: str, start_unit: Callable[..., UnitProcess]
) -> None:
    off = start_unit(database, name="off", ENABLE_CUSTOM_COMMAND="false", NODE_UNIT_HEARTBEAT_INTERVAL="0.3")
    await eventually(lambda: value(database, "select count(*) from unit") == 1, what="the unit has joined")
    row = insert_command(database)
    plain = insert_deployments(database)[0]
    await eventually(lambda: deployment(database, plain)["address"], what="it claims what it can run")
    said = value(database, "select count(*) from event where type like 'DeploymentClaim%'")
    beats = value(database, "select count(*) from usage where deployment_id is null")
    await eventually(
        lambda: value(database, "select count(*) from usage where deployment_id is null") > beats + 5,
        what="five more heartbeats",
    )
    assert deployment(database, row)["address"] == ""
    assert value(database, "select count(*) from event where type like 'DeploymentClaim%'") == said

    on = start_unit(database, name="on")
    await eventually(lambda: deployment(database, row)["address"] == on.address, what="who can run it claims it")
    another = insert_command(database)
    await eventually(
        lambda: deployment(database, another)["address"] == on.address,
        what="the unit with fewer rows, which cannot run it, is not compared",
    )
    assert off.process.poll() is None
