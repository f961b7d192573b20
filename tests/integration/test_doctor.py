"""The doctor names each fault of a database, a login and a schema, and is silent about a healthy one."""

import asyncio
import json
import socket
import subprocess
from pathlib import Path

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from typer.testing import CliRunner

from nodeunit.cli.app import app
from nodeunit.domain.finding import SCHEMA
from nodeunit.errors import ChecksNotMade, FaultFound
from nodeunit.store.postgres import connections
from nodeunit.store.postgres.connections import Pool
from tests.support.chunks import chunks_of_a_day
from tests.support.databases import Databases
from tests.support.examined import examined, names, the_only
from tests.support.logins import Login
from tests.support.members import join
from tests.support.pgbouncer import pgbouncer
from tests.support.rounds import claim_all, deciding
from tests.support.rows import insert_deployments, rows
from tests.support.timescale import TimescaleServer, timescale_server
from tools.faults.skew import make_skewed_build

UNIT = {"NODE_UNIT_NAME": "unit-1", "NODE_UNIT_PASSWORD": "of unit-1"}


async def test_a_healthy_fleet_is_no_finding(database: str, pool: Pool) -> None:
    units = [await deciding(pool, f"unit-{name}") for name in "ab"]
    insert_deployments(database, 4)
    assert await claim_all(units) == 4
    found = await examined(database)
    assert (found.findings, found.not_made, found.healthy) == ([], [], True)
    assert found.checks_made >= 15


def test_healthy_prints_nothing_for_cron(database: str) -> None:
    said = CliRunner().invoke(app, ["doctor", "--no-machine", "-d", database])
    assert (said.exit_code, said.output) == (0, "")


def test_a_finding_is_exit_1_and_a_versioned_document(plain_database: str) -> None:
    said = CliRunner().invoke(app, ["doctor", "--no-machine", "-d", plain_database, "-o", "json"])
    assert isinstance(said.exception, FaultFound)
    document = json.loads(said.stdout)
    assert (document["schema"], document["healthy"]) == (SCHEMA, False)
    assert [one["name"] for one in document["findings"]] == ["timescaledb_missing"]
    assert set(document["findings"][0]) == {"name", "severity", "subject", "cause", "mend"}
    table = CliRunner().invoke(app, ["doctor", "--no-machine", "-d", plain_database])
    assert table.stdout.startswith("warning: timescaledb_missing: database\n  ")
    assert "\n  mend: " in table.stdout


def test_a_check_that_takes_too_long_is_named_and_stops_nothing(database: str) -> None:
    with psycopg.connect(database) as other:
        other.execute("lock table unit in access exclusive mode")
        found = asyncio.run(examined(database))
        said = CliRunner().invoke(app, ["doctor", "--no-machine", "-d", database])
    assert found.findings == []
    assert {"capacity", "versions", "projection unit"} <= {missed.check for missed in found.not_made}
    assert "age of the log" not in {missed.check for missed in found.not_made}
    assert isinstance(said.exception, ChecksNotMade)


async def test_no_database() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and nobody listens
        found = await examined(f"postgresql://nobody@127.0.0.1:{taken.getsockname()[1]}/fleet")
    assert the_only(found).name == "no_database"
    assert found.not_made


async def test_no_database_is_given() -> None:
    found = the_only(await examined(""))
    assert (found.name, found.cause) == ("no_database", "no database is given")


async def test_a_wrong_password(database: str) -> None:
    assert the_only(await examined(make_conninfo(database, password="wrong"))).name == "login_refused"


async def test_a_login_without_a_role(login: Login) -> None:
    assert the_only(await examined(login())).name == "login_without_role"


async def test_a_login_of_a_reader_is_none_of_a_unit(login: Login) -> None:
    found = await examined(login("nodeunit_reader"), UNIT)
    assert "login_not_of_unit" in names(found)
    assert (await examined(login("nodeunit_reader"))).findings == []


async def test_a_login_that_is_not_enrolled(login: Login) -> None:
    assert "login_not_enrolled" in names(await examined(login("nodeunit_unit"), UNIT))
    assert "login_not_enrolled" not in names(await examined(login("nodeunit_unit", unit="unit-1"), UNIT))


async def test_a_database_without_the_extension(plain_database: str) -> None:
    assert the_only(await examined(plain_database)).name == "timescaledb_missing"


async def test_a_pooling_proxy(database: str) -> None:
    with pgbouncer(database, "transaction") as proxied:
        assert the_only(await examined(proxied)).name == "pooling_proxy"


async def test_migrations_are_behind(empty_database: str, database: str) -> None:
    rows(empty_database, "create extension if not exists timescaledb")
    assert the_only(await examined(empty_database)).name == "schema_behind"
    rows(database, "delete from schema_migration where name = 'migrations/before/0032_unit_logins.sql'")
    behind = the_only(await examined(database))
    assert (behind.name, behind.mend) == ("schema_behind", "nodeunit migrate")


async def test_migrations_are_ahead(database: str) -> None:
    rows(database, "update schema_compatibility set version = 99, min_reader = 99, min_writer = 99")
    assert the_only(await examined(database)).name == "schema_ahead"


async def test_synchronous_commit_is_off(database: str) -> None:
    name = sql.Identifier(str(conninfo_to_dict(database)["dbname"]))
    with psycopg.connect(database, autocommit=True) as owner:
        owner.execute(sql.SQL("alter database {} set synchronous_commit = off").format(name))
    assert the_only(await examined(database)).name == "synchronous_commit_off"


def test_the_clocks_differ(database: str, tmp_path: Path) -> None:
    build = make_skewed_build(tmp_path, 7)
    command = [str(build.python), "-P", "-m", "nodeunit", "doctor", "--no-machine", "-d", database, "-o", "json"]
    said = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=50)
    assert said.returncode == 1, said.stderr
    (found,) = json.loads(said.stdout)["findings"]
    assert found["name"] == "clock_difference"
    assert "s ahead of the database's" in found["cause"]


async def test_a_server_that_is_too_small_for_its_fleet() -> None:
    with (
        timescale_server(max_connections="40") as server,
        Databases(server.conninfo).fresh() as conninfo,
    ):
        chunks_of_a_day(conninfo)
        for day in range(70):  # each in a transaction of its own, because its locks are counted too
            rows(
                conninfo,
                "insert into usage (recorded_at, unit_address, cpu_percent, memory_mb) "
                "values (now() - %s * interval '1 day', 'unit-1', 1, 1)",
                [day],
            )
        assert (await examined(conninfo)).findings == []
        async with connections.pool(conninfo, "test") as pool:
            for number in range(10):
                await join(pool, f"unit-{number}")
        assert the_only(await examined(conninfo)).name == "max_connections_too_small"
        rows(server.conninfo, "alter system set max_locks_per_transaction = 10")
        server.restart()
        assert names(await examined(conninfo)) == ["max_connections_too_small", "max_locks_per_transaction_too_small"]


async def test_a_standby(own_timescale: TimescaleServer) -> None:
    with Databases(own_timescale.conninfo).fresh() as conninfo:
        own_timescale.become_standby()
        assert "standby" in names(await examined(conninfo))
        own_timescale.end_standby()
        assert (await examined(conninfo)).findings == []
