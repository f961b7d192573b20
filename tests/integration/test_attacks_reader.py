"""A reader who wants more than to read, and a stranger who takes locks."""

from pathlib import Path
from typing import LiteralString

import psycopg
import pytest
from psycopg import sql

from nodeunit.audit.archive import archive
from nodeunit.errors import DatabaseError, MigrationBlocked
from nodeunit.store.postgres import connections
from nodeunit.store.postgres.connections import Pool
from nodeunit.store.postgres.migrator import migrate
from nodeunit.store.write import unit_reads
from tests.support.logins import Login
from tests.support.members import join, turn_back_leases
from tests.support.rows import insert_deployments, rows, value

SECRET = "canary-of-a-row"


def with_secrets(database: str) -> None:
    rows(database, "update deployment set env = jsonb_build_object('TOKEN', %s::text)", (SECRET,))


ENV_OF_ALL: list[LiteralString] = [
    "select env from deployment",
    "select * from deployment",
    "select d from deployment d",
    "select to_jsonb(d) from deployment d",
    "select count(*) from deployment where env::text like '%canary%'",
    "select from deployment order by env",
    "copy deployment to stdout",
    "copy deployment (env) to stdout",
    "table deployment",
]


@pytest.mark.parametrize("role", ["nodeunit_reader", "nodeunit_unit"])
def test_who_does_not_write_rows_does_not_read_their_env(database: str, login: Login, role: str) -> None:
    insert_deployments(database)
    with_secrets(database)
    conninfo = login(role)
    for statement in ENV_OF_ALL:
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            rows(conninfo, statement)
    assert rows(conninfo, "select package_name, address from deployment")
    assert "env" not in rows(conninfo, "select * from deployment_shown")[0]


def test_no_view_and_no_event_has_the_env(database: str, login: Login) -> None:
    insert_deployments(database)
    with_secrets(database)
    reader = login("nodeunit_reader")
    names = rows(
        reader,
        "select c.oid::regclass::text as name from pg_class c where c.relnamespace = 'public'::regnamespace "
        "and c.relkind in ('v', 'r', 'p') and has_table_privilege(c.oid, 'select')",
    )
    assert {"deployment_shown", "event", "program_state"} <= {row["name"] for row in names}
    with psycopg.connect(reader) as connection:
        for row in names:
            found = connection.execute(sql.SQL("select t::text from {} t").format(sql.Identifier(row["name"])))
            assert SECRET not in repr(found.fetchall()), row["name"]


async def test_a_unit_reads_the_env_of_its_own_rows_only(database: str, pool: Pool, login: Login) -> None:
    await join(pool, "unit-1")
    await join(pool, "unit-2")
    insert_deployments(database, 2, address="unit-1")
    insert_deployments(database, 3, address="unit-2")
    with_secrets(database)
    rows(database, "update deployment set enabled = false where id = (select min(id::text)::uuid from deployment "
                   "where address = 'unit-1')")  # fmt: skip
    conninfo = login(unit="unit-1")
    async with connections.pool(conninfo, "test") as own:
        (running,) = await unit_reads.programs_of(own, "unit-1")
        (disabled,) = await unit_reads.disabled_rows_of(own, "unit-1")
    assert running.env == disabled.env == {"TOKEN": SECRET}
    for function in ("rows_to_run", "disabled_rows_of"):
        with pytest.raises(psycopg.Error, match="may not act for the unit unit-2"):
            rows(conninfo, "select * from " + function + "('unit-2')")


async def test_a_strangers_advisory_locks_hold_up_no_unit(database: str, pool: Pool, login: Login) -> None:
    one = await join(pool, "unit-1")
    await join(pool, "unit-2")
    with psycopg.connect(login(), autocommit=True) as stranger:
        for key in ("nodeunit membership unit-1", "nodeunit membership unit-2", "nodeunit membership unit-3",
                    "nodeunit archive"):  # fmt: skip
            stranger.execute("select pg_advisory_lock(hashtextextended(%s, 0))", (key,))
        await join(pool, "unit-3")
        turn_back_leases(database, "unit-2")
        assert await one.declare_lost(["unit-2"]) == ["unit-2"]
        rows(database, "select cordon_unit('unit-1')")
        await one.leave()


def test_nobody_but_the_functions_locks_their_locks(database: str, login: Login) -> None:
    for role in ("nodeunit_unit", "nodeunit_operator", "nodeunit_reader"):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            rows(login(role), "select from named_lock for update")


async def test_who_holds_the_lock_of_a_migration_is_named_and_it_does_not_hang(database: str, login: Login) -> None:
    with psycopg.connect(login(), autocommit=True) as stranger:
        stranger.execute("select pg_advisory_lock(hashtextextended('nodeunit migrate public', 0))")
        with pytest.raises(MigrationBlocked, match=f"pid {stranger.info.backend_pid} .user {stranger.info.user}"):
            await migrate(database, wait_s=0.5)


async def test_who_holds_the_lock_of_an_archive_is_named_and_it_does_not_hang(
    database: str, login: Login, tmp_path: Path
) -> None:
    insert_deployments(database)
    before = value(database, "select now()")
    with psycopg.connect(login(), autocommit=True) as stranger:
        stranger.execute("select pg_advisory_lock(hashtextextended('nodeunit archive public', 0))")
        with pytest.raises(DatabaseError, match=f"pid {stranger.info.backend_pid} .user {stranger.info.user}"):
            await archive(database, before, tmp_path / "a.gz")
