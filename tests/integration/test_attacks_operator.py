"""A malicious operator: what it may do leaves an event with its name, and what leaves none it may not do."""

from typing import LiteralString

import psycopg
import pytest

from nodeunit.errors import ArgumentRefused
from nodeunit.store.postgres.connections import Pool, translate_error
from nodeunit.store.read import projections
from tests.support.logins import Login
from tests.support.members import join
from tests.support.rows import deployment, insert_deployments, rows, value

TRACED: dict[str, LiteralString] = {
    "moves a row": "update deployment set address = 'unit-1'",
    "changes what runs": "update deployment set command = 'true'",
    "changes the env": "update deployment set env = '{\"A\": \"b\"}'",
    "stops a row": "update deployment set enabled = false",
    "restarts a row": "update deployment set updated_at = now()",
    "deletes a row": "delete from deployment",
    "makes a row": "insert into deployment (package_name) values ('@yuants/x')",
    "changes the kind": "update deployment set type = 'daemon'",
    "cordons": "select cordon_unit('unit-1')",
    "uncordons": "select uncordon_unit('unit-1')",
    "drains": "select drain_unit('unit-1', '1 minute')",
    "merges": "merge into deployment d using (select 1) s on true when matched then update set enabled = false",
    "writes from a rule of settings": "with s as (select set_config('nodeunit.rebuilding', 'on', false)) "
                                      "update deployment set address = 'unit-1' from s",
}  # fmt: skip


@pytest.mark.parametrize("deed", TRACED)
async def test_whatever_it_does_is_an_event_with_its_name(database: str, pool: Pool, login: Login, deed: str) -> None:
    await join(pool, "unit-1")
    insert_deployments(database)
    before = value(database, "select coalesce(max(position), 0) from event")
    with psycopg.connect(login("nodeunit_operator"), autocommit=True) as operator:
        operator.execute(TRACED[deed])
        user = operator.info.user
    written = rows(database, "select type, data from event where position > %s", (before,))
    assert written
    if not any(row["type"] in ("DeploymentCreated", "DeploymentChanged", "DeploymentReleased") for row in written):
        assert any(row["data"].get("by") == user for row in written), written
    assert all(row["data"].get("by", user) == user for row in written)
    assert await projections.verify(database) == []


FORBIDDEN: dict[str, LiteralString] = {
    "sets a version": "update deployment set address_version = 9",
    "sets a revision": "update deployment set revision = 9",
    "sets when it was assigned": "update deployment set address_since = now()",
    "truncates": "truncate deployment",
    "switches triggers off": "alter table deployment disable trigger all",
    "calls itself a replica": "set session_replication_role = replica",
    "becomes the owner": "set role test",
    "becomes a unit": "set role nodeunit_unit",
    "becomes another session": "set session authorization test",
    "enrolls itself": "select enroll_unit(current_user::text, null, 'unit-1')",
    "opens the fleet": "select require_enrolled_logins(false)",
    "appends for a unit": "select append_decisions('unit-1', 1, 0, '[]')",
    "locks a lease": "select from lease for update",
    "locks a table": "do $$ begin lock table lease in access exclusive mode; end $$",
    "runs a program on the server": "copy deployment to program 'cat'",
    "reads a file of the server": "copy deployment from '/etc/passwd'",
    "makes a table": "create table mine ()",
    "makes a trigger": "create trigger mine after insert on deployment execute function stamp_deployment()",
    "rewrites an event": "update event set data = '{}'",
    "rebuilds": "select deployment_address_rebuild()",
}


@pytest.mark.parametrize("deed", FORBIDDEN)
async def test_what_leaves_no_event_is_refused(database: str, pool: Pool, login: Login, deed: str) -> None:
    await join(pool, "unit-1")
    insert_deployments(database)
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        rows(login("nodeunit_operator"), FORBIDDEN[deed])


async def test_it_drains_within_bounds(database: str, pool: Pool, login: Login) -> None:
    await join(pool, "unit-1")
    for within in ("100 years", "-1 s", "31 days"):
        with pytest.raises(psycopg.Error) as refused:
            rows(login("nodeunit_operator"), "select drain_unit('unit-1', %s)", (within,))
        assert isinstance(translate_error(refused.value), ArgumentRefused)


async def test_it_says_nothing_in_the_name_of_another(database: str, pool: Pool, login: Login) -> None:
    (row,) = insert_deployments(database)
    with psycopg.connect(login("nodeunit_operator"), autocommit=True) as operator:
        operator.execute("set application_name = 'postgres'")
        operator.execute("update deployment set enabled = false where id = %s", (row,))
        by = value(database, "select data ->> 'by' from event where type = 'DeploymentDisabled'")
        assert by == operator.info.user
    assert not deployment(database, row)["enabled"]
