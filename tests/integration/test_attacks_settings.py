"""No privilege rests on a setting, a search path or a temporary table, because a session can make its own."""

from pathlib import Path

import psycopg
import pytest

from nodeunit.store.postgres.connections import Pool
from nodeunit.store.read import projections
from tests.support.histories import Histories
from tests.support.logins import Login
from tests.support.members import join
from tests.support.rows import deployment, events, insert_deployments, rows, value

FUNCTIONS = Path(__file__).parents[2] / "migrations" / "functions"


async def test_an_operator_who_says_that_he_rebuilds_leaves_events(database: str, pool: Pool, login: Login) -> None:
    await join(pool, "unit-1")
    (row,) = insert_deployments(database)
    with psycopg.connect(login("nodeunit_operator"), autocommit=True) as operator:
        operator.execute("set nodeunit.rebuilding = on")
        operator.execute("update deployment set address = 'unit-1' where id = %s", (row,))
    assert [event["type"] for event in events(database, row)] == ["DeploymentCreated", "DeploymentAssigned"]
    assert deployment(database, row)["address_version"] == 1
    assert await projections.verify(database) == []


async def test_a_rebuild_corrects_an_address_without_events(database: str, pool: Pool) -> None:
    await join(pool, "unit-1")
    (row, other) = insert_deployments(database, 2, address="unit-1")
    count = value(database, "select count(*) from event")
    with psycopg.connect(database) as broken:
        broken.execute("set session_replication_role = replica")
        broken.execute("update deployment set address = 'nobody' where id = %s", (row,))
        broken.execute("update deployment set address = '', address_version = 0 where id = %s", (other,))
    assert len(await projections.verify(database)) == 2
    rows(database, "select deployment_address_rebuild()")
    assert await projections.verify(database) == []
    assert value(database, "select count(*) from event") == count


@pytest.mark.parametrize("kind", ["timescale_histories", "plain_histories"])
def test_a_table_of_ones_own_called_event_deletes_nothing(request: pytest.FixtureRequest, kind: str) -> None:
    histories: Histories = request.getfixturevalue(kind)
    with histories.fresh() as conninfo:
        before = value(conninfo, "select count(*) from event")
        with psycopg.connect(conninfo) as owner:
            owner.execute("create temp table event (like public.event including defaults)")
            owner.execute(
                "insert into pg_temp.event (position, stream_id, stream_version, type, transaction_id, data) "
                "values (0, 'log', 1000000, 'LogArchived', log_transaction_id(), '{\"before\": \"2999-01-01\"}')"
            )
            for setting in ("infinity", "2999-01-01 00:00:00+00"):
                owner.execute("select set_config('nodeunit.archived_before', %s, false)", (setting,))
                with pytest.raises(psycopg.errors.DatabaseError, match="append-only"), owner.transaction():
                    owner.execute("delete from public.event")
        assert value(conninfo, "select count(*) from event") == before


def test_every_function_with_more_rights_than_its_caller_has_a_fixed_search_path(database: str) -> None:
    """So have the functions of triggers, which run in the session of whoever writes."""
    found = rows(
        database,
        "select p.oid::regprocedure::text as name from pg_proc p "
        "where p.pronamespace = 'public'::regnamespace and (p.prosecdef or p.prorettype = 'trigger'::regtype) "
        "and not exists (select from pg_depend d where d.objid = p.oid and d.deptype = 'e') "
        "and not coalesce(p.proconfig::text ~ 'search_path=.*pg_temp', false)",
    )
    assert found == []


def test_no_function_asks_a_setting_of_this_project(database: str) -> None:
    found = rows(
        database,
        "select p.oid::regprocedure::text as name from pg_proc p "
        "where p.pronamespace = 'public'::regnamespace and p.prosrc ~ 'nodeunit[.]'",
    )
    assert found == []


@pytest.mark.parametrize("path", sorted(FUNCTIONS.rglob("*.sql")), ids=lambda path: path.stem)
def test_no_text_of_a_function_depends_on_how_strings_are_read(path: Path) -> None:
    """Bodies are read in the caller's session, and with standard_conforming_strings off a backslash is another text."""
    assert "\\" not in path.read_text()
