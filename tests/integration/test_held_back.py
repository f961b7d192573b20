"""A reader of the log that waits for a transaction, of whichever database, says so instead of showing nothing."""

import asyncio
import logging

import psycopg
import pytest
from typer.testing import CliRunner

from nodeunit.audit.source import LiveLog
from nodeunit.cli.app import app
from tests.support.databases import Databases
from tests.support.rows import insert_deployments
from tests.support.waiting import eventually


def test_a_command_names_the_transaction_that_it_waits_for(
    plain_databases: Databases, plain_database: str, caplog: pytest.LogCaptureFixture
) -> None:
    with plain_databases.fresh(migrated=False) as other, psycopg.connect(other, application_name="psql") as person:
        person.execute("create table kept_open ()")
        insert_deployments(plain_database, 1)
        hidden = CliRunner().invoke(app, ["events", "--database", plain_database])
        assert (hidden.exit_code, hidden.stdout) == (0, "")
        (said,) = caplog.messages
        pid, database = person.info.backend_pid, person.info.dbname
        assert (
            f"before the transaction of pid {pid} (database {database}, user postgres, application psql, open for"
            in said
        )
        person.rollback()
    caplog.clear()
    shown = CliRunner().invoke(app, ["events", "--database", plain_database])
    assert "DeploymentCreated" in shown.stdout
    assert caplog.messages == []


async def test_a_follower_says_it_while_it_waits(
    plain_databases: Databases, plain_database: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    read: list[str] = []

    async def follow() -> None:
        async for event in LiveLog(plain_database, follow=True):
            read.append(event.type)  # noqa: PERF401  # there is no end

    with plain_databases.fresh(migrated=False) as other, psycopg.connect(other) as person:
        person.execute("create table kept_open ()")
        insert_deployments(plain_database, 1)
        async with asyncio.TaskGroup() as group:
            following = group.create_task(follow())
            await eventually(lambda: any(f"pid {person.info.backend_pid} " in said for said in caplog.messages))
            assert read == []
            person.rollback()
            await eventually(lambda: read == ["DeploymentCreated"])
            following.cancel()
