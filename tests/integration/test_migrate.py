"""`nodeunit migrate`: once, twice, two at once, interrupted, refused; with and without TimescaleDB."""

import asyncio
from collections.abc import Awaitable, Callable

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import make_conninfo

from nodeunit.errors import DatabaseError, MigrationBlocked, NotMigrated, SchemaOccupied, SchemaTooNew
from nodeunit.store.postgres import requirements
from nodeunit.store.postgres.compatibility import SCHEMA_VERSION
from nodeunit.store.postgres.migrator import dry_run, migrate, status
from nodeunit.store.postgres.schema_files import migrations
from tests.support.rows import rows, value
from tests.support.waiting import eventually

ALL = [m.name for m in migrations()]
RELATIONS = "select count(*) from pg_class where relnamespace = 'public'::regnamespace"


async def test_applies_every_file_once(empty_database: str) -> None:
    assert {line.state for line in await status(empty_database)} == {"pending"}
    first = await migrate(empty_database)
    assert (first.applied, first.notices) == (ALL, [])
    await requirements.require(empty_database, timescaledb=True)
    assert {(line.name, line.state) for line in await status(empty_database)} == {(name, "applied") for name in ALL}
    assert (await migrate(empty_database)).applied == []


async def test_beside_the_table_of_another_program(empty_plain_database: str) -> None:
    rows(empty_plain_database, "create table deployment (id text)")
    with pytest.raises(SchemaOccupied, match="the schema public has a table deployment that is not nodeunit's"):
        await migrate(empty_plain_database)
    assert value(empty_plain_database, RELATIONS) == 1
    rows(empty_plain_database, "create schema nodeunit")
    own = make_conninfo(empty_plain_database, options="-csearch_path=nodeunit")
    assert (await migrate(own)).applied == ALL
    assert value(empty_plain_database, RELATIONS) == 1
    await requirements.require(own, timescaledb=False)


async def test_makes_hypertables(database: str) -> None:
    found = rows(
        database,
        "select hypertable_name, column_name, time_interval from timescaledb_information.dimensions order by 1",
    )
    assert [(row["hypertable_name"], row["column_name"]) for row in found] == [
        ("event", "recorded_at"),
        ("usage", "recorded_at"),
    ]


async def test_without_timescaledb_the_tables_are_ordinary(empty_plain_database: str) -> None:
    result = await migrate(empty_plain_database)
    assert (result.applied, len(result.notices)) == (ALL, 1)
    assert "TimescaleDB is not there" in result.notices[0]
    assert value(empty_plain_database, "select string_agg(relkind, '') from pg_class where relname = 'event'") == "r"
    again = await migrate(empty_plain_database)
    assert (again.applied, again.notices) == ([], [])


async def test_several_at_once_apply_each_file_once(empty_database: str) -> None:
    results = await asyncio.gather(*(migrate(empty_database) for _ in range(4)))
    assert sorted(len(result.applied) for result in results) == [0, 0, 0, len(ALL)]


async def test_one_that_another_keeps_waiting_says_so_and_gives_up(empty_plain_database: str) -> None:
    told: list[str] = []
    with psycopg.connect(empty_plain_database, application_name="the other", autocommit=True) as other:
        other.execute("select pg_advisory_lock(hashtextextended('nodeunit migrate ' || current_schema(), 0))")
        with pytest.raises(MigrationBlocked, match=r"^the migration could not be applied within 1 s because of pid"):
            await migrate(empty_plain_database, wait_s=1, tell=told.append)
        (once,) = told
        assert f"pid {other.info.backend_pid} (user {other.info.user}, application the other" in once
    assert (await migrate(empty_plain_database)).applied == ALL


async def test_an_interrupted_one_leaves_nothing_behind_and_holds_nobody_up(empty_database: str) -> None:
    with psycopg.connect(empty_database) as obstacle:
        obstacle.execute("create table lease ()")  # uncommitted: the migration stops at this name and waits
        running = asyncio.create_task(migrate(empty_database))
        await eventually(
            lambda: rows(
                empty_database,
                "select pg_terminate_backend(pid) from pg_stat_activity "
                "where datname = current_database() and wait_event_type = 'Lock' and query ~ 'create table lease'",
            ),
            what="the migration waits, and is terminated",
        )
        with pytest.raises(DatabaseError):
            await running
        obstacle.rollback()
    assert value(empty_database, RELATIONS) == 0
    assert (await migrate(empty_database)).applied == ALL


async def test_a_dry_run_leaves_nothing(empty_database: str) -> None:
    assert await dry_run(empty_database) == ALL
    assert value(empty_database, RELATIONS) == 0
    assert value(empty_database, "select count(*) from pg_extension where extname = 'timescaledb'") == 0


async def test_a_dry_run_waits_for_no_lock_and_nobody_waits_for_it(database: str) -> None:
    rows(database, "update schema_migration set checksum = 'older' where name = 'migrations/functions/wake.sql'")
    with psycopg.connect(database) as obstacle:
        for table in rows(
            database,
            "select relname from pg_class where relkind in ('r', 'v') and relnamespace = 'public'::regnamespace",
        ):
            if not table["relname"].startswith("schema_"):
                obstacle.execute(
                    sql.SQL("lock table {} in access exclusive mode").format(sql.Identifier(table["relname"]))
                )
        assert await asyncio.wait_for(dry_run(database), 5) == [
            "migrations/functions/wake.sql",
            "migrations/grants.sql",
        ]


async def test_a_file_that_fails_is_named_and_everything_is_rolled_back(empty_database: str) -> None:
    rows(empty_database, "create table lease (mine text)")
    with pytest.raises(DatabaseError, match=r"^migrations/0004_lease\.sql failed.*lease.*already exists"):
        await migrate(empty_database)
    assert value(empty_database, RELATIONS) == 1


async def test_a_changed_function_is_applied_again_and_the_grants_after_it(database: str) -> None:
    rows(database, "update schema_migration set checksum = 'older' where name = 'migrations/functions/wake.sql'")
    states = {line.name: line.state for line in await status(database)}
    assert [name for name, state in states.items() if state != "applied"] == ["migrations/functions/wake.sql"]
    assert states["migrations/functions/wake.sql"] == "changed"
    with pytest.raises(NotMigrated, match=r"has another migrations/functions/wake\.sql; run: nodeunit migrate"):
        await requirements.require(database)
    assert (await migrate(database)).applied == ["migrations/functions/wake.sql", "migrations/grants.sql"]
    assert (await migrate(database)).applied == []


@pytest.mark.parametrize("ask", [migrate, dry_run, status])
async def test_a_versioned_file_that_was_changed_is_refused(
    database: str, ask: Callable[[str], Awaitable[object]]
) -> None:
    rows(database, "update schema_migration set checksum = 'other' where name = 'migrations/0003_order.sql'")
    with pytest.raises(DatabaseError, match=r"^migrations/0003_order\.sql was changed after it had been applied"):
        await ask(database)


async def test_a_newer_schema_is_not_migrated_back(database: str) -> None:
    rows(database, "update schema_compatibility set version = version + 1")
    rows(database, "insert into schema_migration (name, checksum) values ('migrations/before/0999_later.sql', 'x')")
    for ask in (migrate, dry_run):
        with pytest.raises(SchemaTooNew, match=rf"version {SCHEMA_VERSION + 1}\).*upgrade nodeunit"):
            await ask(database)
    assert (await status(database))[-1] == ("migrations/before/0999_later.sql", "unknown")


async def test_the_owner_of_a_database_needs_no_other_right(empty_plain_database: str, plain_database: str) -> None:
    """The roles of the cluster are there already: `plain_database` was migrated by its superuser."""
    with psycopg.connect(empty_plain_database, autocommit=True) as connection:
        name = sql.Identifier(connection.info.dbname)
        connection.execute(sql.SQL("create role {} login").format(name))
        try:
            connection.execute(sql.SQL("alter database {0} owner to {0}").format(name))
            owner = make_conninfo(empty_plain_database, user=connection.info.dbname)
            assert (await migrate(owner)).applied == ALL
            assert (await migrate(owner)).applied == []
        finally:
            connection.execute(sql.SQL("drop owned by {} cascade").format(name))
            connection.execute(sql.SQL("alter database {} owner to current_user").format(name))
            connection.execute(sql.SQL("drop role {}").format(name))
