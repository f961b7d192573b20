"""Databases as people have them: the owner no superuser, the extension elsewhere, a publication, added columns."""

import secrets
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from nodeunit.errors import DatabaseError
from nodeunit.store.postgres.connections import pool
from nodeunit.store.postgres.migrator import migrate
from nodeunit.store.read import projections
from nodeunit.store.read.archive import archiving
from nodeunit.store.write.decisions import DecisionStream
from tests.support.chunks import chunks_of_a_day
from tests.support.databases import Databases
from tests.support.members import candidate, claim, join
from tests.support.rows import insert_deployments, rows, value

ROLES = [
    f"do $$ begin create role {role}; exception when duplicate_object then null; end $$"
    for role in ("nodeunit_unit", "nodeunit_operator", "nodeunit_reader")
]

ELSEWHERE = ("create schema elsewhere", "create extension if not exists timescaledb schema elsewhere")

ROWS_OF_A_TABLE = """
    select distinct p.proname::text as name
    from pg_proc p
    cross join lateral unnest(p.proargtypes::oid[] || p.prorettype) as used (type)
    join pg_type t on t.oid = used.type
    join pg_class c on c.oid = t.typrelid and c.relkind = 'r' and c.relnamespace = current_schema()::regnamespace
    where p.prosqlbody is not null
"""


@pytest.fixture(params=["plain", "timescale"])
def databases(request: pytest.FixtureRequest) -> Databases:
    databases: Databases = request.getfixturevalue(f"{request.param}_databases")
    return databases


@pytest.fixture
def owned(databases: Databases) -> Iterator[Callable[..., str]]:
    """`owned(*statements)`: a database whose owner is no superuser, and in which a superuser has run the statements.

    The owner may see what the server has loaded, which a database with TimescaleDB needs.
    """
    role = f"test_{secrets.token_hex(6)}"
    with psycopg.connect(databases.administrator, autocommit=True) as administrator, ExitStack() as stack:
        administrator.execute(sql.SQL("create role {} login password 'right'").format(sql.Identifier(role)))
        administrator.execute(sql.SQL("grant pg_read_all_settings to {}").format(sql.Identifier(role)))
        stack.callback(administrator.execute, sql.SQL("drop role {}").format(sql.Identifier(role)))

        def make(*statements: str) -> str:
            conninfo = stack.enter_context(databases.fresh(migrated=False))
            name = sql.Identifier(str(conninfo_to_dict(conninfo)["dbname"]))
            administrator.execute(sql.SQL("alter database {} owner to {}").format(name, sql.Identifier(role)))
            with psycopg.connect(conninfo, autocommit=True) as superuser:
                for statement in statements:
                    superuser.execute(statement.encode())
            return make_conninfo(conninfo, user=role, password="right")

        yield make


async def it_works(conninfo: str) -> None:
    """A unit joins and claims, a person changes and deletes, and what is folded is the fold."""
    (deployment_id, other) = insert_deployments(conninfo, 2)
    async with pool(conninfo, "test") as connections:
        unit = await join(connections, "unit-1")
        assert await claim(DecisionStream(unit), "unit-1", candidate(conninfo, deployment_id))
    rows(conninfo, "update deployment set package_version = '2' where id = %s returning id", [deployment_id])
    rows(conninfo, "delete from deployment where id = %s returning id", [other])
    assert await projections.verify(conninfo) == []


@pytest.mark.parametrize(
    "there",
    [
        (),
        ("create extension if not exists timescaledb",),
        (*ELSEWHERE, "grant usage on schema elsewhere to public"),
    ],
    ids=["nothing", "extension", "extension elsewhere"],
)
async def test_the_owner_of_the_database_migrates(
    owned: Callable[..., str], there: tuple[str, ...], request: pytest.FixtureRequest
) -> None:
    if there and "plain" in request.node.name:
        pytest.skip("there is no extension to be elsewhere")
    conninfo = owned(*there)
    await migrate(conninfo)
    await it_works(conninfo)
    await migrate(conninfo)


async def test_an_owner_who_may_not_see_what_is_loaded_is_told_which_role_to_get(
    timescale_databases: Databases, owned: Callable[..., str], request: pytest.FixtureRequest
) -> None:
    if "plain" in request.node.name:
        pytest.skip("where there is no TimescaleDB nobody asks whether it is loaded")
    conninfo = owned()
    owner = conninfo_to_dict(conninfo)["user"]
    with psycopg.connect(timescale_databases.administrator, autocommit=True) as administrator:
        administrator.execute(sql.SQL("revoke pg_read_all_settings from {}").format(sql.Identifier(str(owner))))
    with pytest.raises(
        DatabaseError, match=f'"pg_read_all_settings" role may examine this parameter; grant it to {owner}'
    ):
        await migrate(conninfo)


async def test_an_owner_who_may_not_use_the_schema_of_the_extension_is_told_so(
    owned: Callable[..., str], request: pytest.FixtureRequest
) -> None:
    if "plain" in request.node.name:
        pytest.skip("there is no extension to be elsewhere")
    with pytest.raises(DatabaseError, match="run: grant usage on schema elsewhere to test_"):
        await migrate(owned(*ELSEWHERE))


async def test_who_may_not_create_is_told_what_is_missing(owned: Callable[..., str]) -> None:
    conninfo = owned("alter schema public owner to current_user", "revoke create on schema public from public")
    with pytest.raises(DatabaseError, match="permission denied for schema public; grant it to test_"):
        await migrate(conninfo)


async def test_owners_add_columns_of_any_name_kind_and_type(owned: Callable[..., str]) -> None:
    conninfo = owned()
    await migrate(conninfo)
    insert_deployments(conninfo, 1)
    with psycopg.connect(conninfo, autocommit=True) as owner:
        for name in ("n", "o", "d", "l", "e"):
            owner.execute(
                sql.SQL("alter table deployment add column {} bigint generated always as identity").format(
                    sql.Identifier(name)
                )
            )
        owner.execute("alter table deployment add column team text not null default 'ours'")
        owner.execute("alter table deployment alter column team type varchar(20)")
        owner.execute("alter table deployment drop column team")
        owner.execute("alter table deployment add column team integer not null default 1")
        owner.execute("alter table lease add column remark text not null default ''")
    assert rows(conninfo, ROWS_OF_A_TABLE) == []
    await it_works(conninfo)


async def test_a_publication_of_all_tables_keeps_nothing_from_being_archived(owned: Callable[..., str]) -> None:
    conninfo = owned("create publication everything for all tables")
    await migrate(conninfo)
    await it_works(conninfo)
    chunks_of_a_day(conninfo)
    for _ in range(2):  # into hours that are there as well
        with psycopg.connect(conninfo, autocommit=True) as person:
            person.execute(
                "insert into usage (recorded_at, unit_address, cpu_percent, memory_mb) "
                "select date_trunc('day', now()) - interval '3 days' + n * interval '1 minute', 'unit-1', 1, 1 "
                "from generate_series(0, 89) n"
            )
        async with archiving(conninfo) as archiver:
            rolled_up = await archiver.roll_up(datetime.now(UTC) - timedelta(days=1))
        assert (rolled_up.samples, rolled_up.hours) == (90, 2)
    assert value(conninfo, "select sum(samples)::int from usage_hourly") == 180


async def test_roles_that_come_later_get_their_rights_from_the_next_migration(owned: Callable[..., str]) -> None:
    conninfo = owned(*ROLES)
    await migrate(conninfo)
    with psycopg.connect(conninfo, autocommit=True) as owner:  # as if the roles had not been there
        owner.execute("revoke all on deployment from nodeunit_unit, nodeunit_operator, nodeunit_reader")
    assert (await migrate(conninfo)).applied == ["migrations/grants.sql"]
    assert value(conninfo, "select has_any_column_privilege('nodeunit_reader', 'deployment', 'select')")
    assert (await migrate(conninfo)).applied == []
