"""Databases that cannot be used: each is told by its own exit code, in one sentence that says what to do."""

import asyncio
import secrets
import socket
import subprocess
import sys
from collections.abc import Iterator

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import make_conninfo

from nodeunit.errors import (
    AuthenticationFailed,
    DatabaseError,
    DatabaseUnreachable,
    EncodingUnfit,
    NodeunitError,
    NotMigrated,
    PoolingProxy,
    PostgresTooOld,
    SchemaTooNew,
)
from nodeunit.store.postgres import connections, migrator, requirements
from nodeunit.store.write import unit_reads
from nodeunit.store.write.decisions import DecisionStream
from tests.support.members import candidate, claim, join
from tests.support.pgbouncer import pgbouncer
from tests.support.proxy import Proxy
from tests.support.rows import insert_deployments, rows
from tests.support.timescale import TimescaleServer


async def refusal(conninfo: str) -> NodeunitError:
    """What a unit is told that is to start with this database; within the patience of a person."""
    with pytest.raises(NodeunitError) as refused:
        async with asyncio.timeout(15):
            await requirements.require(conninfo)
    text = str(refused.value)
    assert "\n" not in text
    assert not text.endswith(".")
    return refused.value


@pytest.fixture
def login(timescale: TimescaleServer) -> Iterator[str]:
    """A login with a password, on a server that asks for it."""
    name = f"test_{secrets.token_hex(6)}"
    with psycopg.connect(timescale.conninfo, autocommit=True) as administrator:
        administrator.execute(sql.SQL("create role {} login password 'right'").format(sql.Identifier(name)))
        yield make_conninfo(timescale.conninfo, user=name, password="right")
        administrator.execute(sql.SQL("drop role {}").format(sql.Identifier(name)))


@pytest.mark.parametrize("encoding", ["LATIN1", "SQL_ASCII"])
async def test_a_database_that_cannot_hold_every_text(plain_server: str, encoding: str) -> None:
    name = f"test_{secrets.token_hex(6)}"
    with psycopg.connect(plain_server, autocommit=True) as administrator:
        administrator.execute(
            sql.SQL("create database {} encoding {} locale 'C' template template0").format(
                sql.Identifier(name), encoding
            )
        )
        try:
            conninfo = make_conninfo(plain_server, dbname=name)
            error = await refusal(conninfo)
            with pytest.raises(EncodingUnfit):
                await migrator.migrate(conninfo)
        finally:
            administrator.execute(sql.SQL("drop database {}").format(sql.Identifier(name)))
    assert type(error) is EncodingUnfit
    assert str(error).startswith(f"the database {name} is encoded in {encoding} and nodeunit needs UTF8; make one with")


async def test_a_log_of_more_chunks_than_there_is_room_for_locks(plain_database: str) -> None:
    async with await connections.connect(plain_database, "test") as connection:
        with pytest.raises(DatabaseError, match="run nodeunit migrate, which merges"):
            async with connections.translate_errors(plain_database):
                await connection.execute("select pg_advisory_xact_lock(n) from generate_series(1, 1000000) n")


async def test_no_server_there() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and does not listen
        port = taken.getsockname()[1]
        error = await refusal(f"postgresql://somebody:secret@127.0.0.1:{port}/fleet")
    assert type(error) is DatabaseUnreachable
    assert f"at 127.0.0.1:{port}" in str(error)
    assert "secret" not in str(error)


async def test_a_host_that_does_not_exist() -> None:
    error = await refusal("postgresql://somebody:secret@no-such-host.invalid/fleet")
    assert type(error) is DatabaseUnreachable
    assert "no-such-host.invalid" in str(error)
    assert "secret" not in str(error)


async def test_a_server_that_accepts_and_says_nothing(proxy: Proxy) -> None:
    proxy.go_deaf()
    assert type(await refusal(make_conninfo(proxy.conninfo, connect_timeout=2))) is DatabaseUnreachable


async def test_what_is_no_connection_string() -> None:
    error = await refusal("postgresql://user@host:port:5432/fleet?what")
    assert type(error) is DatabaseUnreachable
    assert "is not a connection string" in str(error)


async def test_a_database_that_does_not_exist(timescale: TimescaleServer) -> None:
    error = await refusal(make_conninfo(timescale.conninfo, dbname="no_such_database"))
    assert type(error) is DatabaseUnreachable
    assert 'database "no_such_database" does not exist' in str(error)


@pytest.mark.parametrize("password", ["wrong", None])
async def test_a_wrong_password_and_none(login: str, password: str | None) -> None:
    given = {key: value for key, value in psycopg.conninfo.conninfo_to_dict(login).items() if key != "password"}
    error = await refusal(make_conninfo("", **given, password=password))
    assert type(error) is AuthenticationFailed
    assert "wrong" not in str(error)


async def test_a_user_who_does_not_exist(timescale: TimescaleServer) -> None:
    error = await refusal(make_conninfo(timescale.conninfo, user="no_such_user", password="x"))
    assert type(error) is AuthenticationFailed


async def test_not_migrated(empty_database: str) -> None:
    error = await refusal(empty_database)
    assert type(error) is NotMigrated
    assert str(error).endswith("run: nodeunit migrate")


async def test_migrated_by_an_older_version(database: str) -> None:
    rows(database, "delete from schema_migration where name = 'migrations/functions/wake.sql'")
    error = await refusal(database)
    assert type(error) is NotMigrated
    assert "migrations/functions/wake.sql" in str(error)


async def test_migrated_by_an_older_version_than_states_its_own(database: str) -> None:
    rows(database, "drop table schema_compatibility")
    error = await refusal(database)
    assert type(error) is NotMigrated
    assert str(error).startswith("the schema of the database (version 1) is older than this nodeunit")
    assert str(error).endswith("run: nodeunit migrate")


async def test_migrated_by_a_newer_version_that_serves_this_one(database: str) -> None:
    rows(database, "insert into schema_migration (name, checksum) values ('migrations/before/0999_later.sql', 'x')")
    rows(database, "update schema_migration set checksum = 'newer' where name = 'migrations/functions/wake.sql'")
    rows(database, "update schema_compatibility set version = version + 1")
    await requirements.require(database)


async def test_migrated_by_a_newer_version_that_does_not(database: str) -> None:
    rows(database, "update schema_compatibility set version = version + 1, min_writer = version + 1")
    error = await refusal(database)
    assert type(error) is SchemaTooNew
    assert str(error).endswith("upgrade nodeunit")
    async with await requirements.connect_to_schema(database, "test"):  # a reader it serves
        pass
    rows(database, "update schema_compatibility set min_reader = version")
    with pytest.raises(SchemaTooNew):
        await requirements.connect_to_schema(database, "test")


async def test_a_function_that_is_gone_is_a_schema_not_complete(database: str) -> None:
    async with connections.pool(database, "test") as pool:
        unit = await join(pool, "unit-1")
        rows(database, "drop function wake cascade")
        with pytest.raises(NotMigrated, match="run: nodeunit migrate"):
            await unit.notify("eligible", ["unit-2"])


async def test_a_server_too_old(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """No such server is at hand: the real one is too old for a bar that is raised."""
    monkeypatch.setattr(requirements, "OLDEST", 99)
    error = await refusal(database)
    assert type(error) is PostgresTooOld
    assert "needs 99 or newer" in str(error)
    with pytest.raises(PostgresTooOld):
        await migrator.migrate(database)


@pytest.mark.parametrize("pool_size", [1, 2, 20])
async def test_a_transaction_pooling_proxy(database: str, pool_size: int) -> None:
    with pgbouncer(database, "transaction", pool_size=pool_size) as conninfo:
        error = await refusal(conninfo)
    assert type(error) is PoolingProxy
    assert "PostgreSQL itself" in str(error)


async def test_a_statement_pooling_proxy(database: str) -> None:
    with pgbouncer(database, "statement") as conninfo:
        assert type(await refusal(conninfo)) is PoolingProxy


async def test_a_proxy_in_session_mode_is_as_good_as_the_server(database: str) -> None:
    insert_deployments(database)
    with pgbouncer(database, "session") as conninfo:
        await requirements.require(conninfo, timescaledb=True)
        async with connections.pool(conninfo, "test") as pool:
            await pool.wait(10)
            stream = DecisionStream(await join(pool, "unit-1"))
            (wanted,) = (await unit_reads.round_inputs(pool, 1)).candidates
            assert await claim(stream, "unit-1", candidate(database, wanted.id))


async def test_the_daemons_sessions_end_a_stuck_statement(database: str) -> None:
    """Through a proxy as well: nothing that a unit does may hold for long what it locked."""
    with pgbouncer(database, "session") as bouncer:
        for conninfo in (database, bouncer):
            async with connections.pool(conninfo, "test") as pool, pool.connection() as connection:
                cursor = await connection.execute(
                    "select name, setting from pg_settings where name = any (%s)",
                    (["statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout"],),
                )
                found = {row["name"]: int(row["setting"]) for row in await cursor.fetchall()}
            assert found == {
                "statement_timeout": 5000,
                "lock_timeout": 2000,
                "idle_in_transaction_session_timeout": 10_000,
            }


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    """The command line, with nothing in its environment."""
    return subprocess.run(
        [sys.executable, "-m", "nodeunit", *arguments], env={}, capture_output=True, text=True, timeout=30, check=False
    )


def test_the_command_line_says_it_in_one_line_and_ends_with_its_code(database: str, empty_database: str) -> None:
    rows(database, "update schema_compatibility set version = version + 1")
    answers = {
        error: run("migrate", "--database", conninfo)
        for error, conninfo in {
            DatabaseUnreachable: "postgresql://somebody@127.0.0.1:1/fleet",
            SchemaTooNew: database,
        }.items()
    }
    answers[NotMigrated] = run("projections", "verify", "--database", empty_database)
    for error, answer in answers.items():
        assert answer.returncode == error.exit_code, answer
        assert "Traceback" not in answer.stderr
        assert answer.stdout == ""
        assert len(answer.stderr.strip().splitlines()) == 1, answer.stderr


async def test_a_server_that_shuts_down_is_unreachable(database: str) -> None:
    with pytest.raises(DatabaseUnreachable):
        async with await connections.connect(database, "test") as connection, connections.translate_errors(database):
            await connection.execute("select pg_terminate_backend(pg_backend_pid())")


async def test_what_the_database_refuses_otherwise_keeps_its_words_and_its_code(database: str) -> None:
    with pytest.raises(DatabaseError, match="the database refuses \\(22012\\): division by zero"):
        async with await connections.connect(database, "test") as connection, connections.translate_errors(database):
            await connection.execute("select 1 / 0")
