"""What the clients of the original system send, and what comes of it."""

from typing import Any, LiteralString
from uuid import UUID

from nodeunit.store.postgres.connections import Pool
from nodeunit.store.read import projections
from nodeunit.store.write import unit_reads
from tests.support.logins import Login
from tests.support.members import join, lose
from tests.support.rows import deployment, events, insert_deployments, rows, value

COLUMNS = "id, package_name, package_version, command, args, env, type, address, enabled"

UPSERT: LiteralString = (
    "insert into deployment (id, package_name, package_version, command, args, env, type, address, enabled, "
    "created_at, updated_at) "
    "select (r).id, (r).package_name, (r).package_version, (r).command, (r).args, (r).env, (r).type, (r).address, "
    "(r).enabled, (r).created_at, (r).updated_at "
    "from (select jsonb_populate_record(null::deployment, page) as r "
    "from jsonb_array_elements(%s::jsonb) as page) pages "
    "on conflict (id) do update set id = excluded.id, package_name = excluded.package_name, "
    "package_version = excluded.package_version, command = excluded.command, args = excluded.args, "
    "env = excluded.env, type = excluded.type, address = excluded.address, enabled = excluded.enabled, "
    "created_at = excluded.created_at, updated_at = excluded.updated_at returning *"
)
"""As the web page writes: all that it has read, with what a person changed."""


def told(database: str, deployment_id: UUID, *types: str) -> list[dict[str, Any]]:
    return [event for event in events(database, deployment_id) if event["type"] in types]


async def test_the_web_page_writes_all_that_it_has_read(database: str, pool: Pool, login: Login) -> None:
    await join(pool, "unit-1")
    held = insert_deployments(database, address="unit-1")[0]
    insert_deployments(database, 2)
    person = login("nodeunit_operator")
    page: LiteralString = "select jsonb_agg(d)::text from (select {columns}, created_at, updated_at from deployment) d"
    read = value(person, page.format(columns=COLUMNS))
    before = rows(database, "select * from deployment order by id")
    assert len(rows(person, UPSERT, (read,))) == 3
    unchanged = rows(database, "select * from deployment order by id")
    assert [(r["revision"], r["address"], r["created_at"]) for r in unchanged] == [
        (r["revision"], r["address"], r["created_at"]) for r in before
    ]
    rows(person, UPSERT, (read.replace('"1.0.0"', '"1.0.1"'),))
    assert {r["revision"] for r in rows(database, "select revision from deployment")} == {2}
    new = '[{"id": "00000000-0000-0000-0000-000000000001", "package_name": "n", "package_version": "1", "command": "", '
    new += '"args": [], "env": {}, "type": "deployment", "address": "", "enabled": true, '
    new += '"created_at": "2001-01-01", "updated_at": "2999-01-01"}]'
    (inserted,) = rows(person, UPSERT, (new,))
    assert inserted["created_at"].year == 2001
    assert inserted["updated_at"] == value(database, "select max(updated_at) from deployment")
    assert value(database, "select updated_at <= now() from deployment where id = %s", (inserted["id"],))
    assert deployment(database, held)["address"] == "unit-1"
    rows(person, "update deployment set updated_at = now()")
    assert value(database, "select count(*) from event where type = 'DeploymentRestartRequested'") == 4
    assert await projections.verify(database) == []


async def test_what_is_written_back_late_is_no_restart(database: str) -> None:
    (one,) = insert_deployments(database)
    rows(database, "update deployment set command = 'x'")
    rows(database, "update deployment set updated_at = updated_at - interval '1 hour'")
    rows(database, "update deployment set updated_at = updated_at")
    assert told(database, one, "DeploymentRestartRequested") == []
    assert deployment(database, one)["revision"] == 2


async def test_a_stale_address_heals(database: str, pool: Pool) -> None:
    await join(pool, "unit-1")
    finder = await join(pool, "unit-2")
    (one,) = insert_deployments(database)
    await lose(pool, database, finder, "unit-1")
    rows(database, "update deployment set address = 'unit-1'")
    (seen,) = (await unit_reads.round_inputs(pool, 8)).candidates
    assert (seen.id, seen.holder) == (one, "unit-1")
    rows(database, "update deployment set address = 'unit-2'")
    assert (await unit_reads.round_inputs(pool, 8)).candidates == ()
    rows(database, "update deployment set address = ''")
    (seen,) = (await unit_reads.round_inputs(pool, 8)).candidates
    assert (seen.id, seen.holder) == (one, "")


async def test_a_held_row_becomes_a_daemon(database: str, pool: Pool) -> None:
    await join(pool, "unit-1")
    (one,) = insert_deployments(database, address="unit-1")
    (now,) = rows(database, "update deployment set type = 'daemon' returning *")
    assert now["address"] == ""
    released = told(database, one, "DeploymentReleased")
    assert [(event["stream_version"], event["data"]["reason"]) for event in released] == [(2, "by_hand")]
    assert deployment(database, one)["address"] == ""
    assert await projections.verify(database) == []


async def test_an_insert_with_an_address(database: str, pool: Pool) -> None:
    await join(pool, "unit-1")
    (new,) = rows(database, "insert into deployment (package_name, address) values ('a', 'unit-1') returning *")
    assert deployment(database, new["id"])["address"] == new["address"] == "unit-1"
