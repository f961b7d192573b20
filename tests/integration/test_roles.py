"""Least privilege: what a unit, an operator and a reader may do with the database, and what no role may do."""

import asyncio

import psycopg
import pytest

from nodeunit.domain.events import DeploymentClaimSkipped
from nodeunit.domain.policy import Usage
from nodeunit.errors import DatabaseError
from nodeunit.store.postgres import connections, requirements
from nodeunit.store.postgres.connections import Pool
from nodeunit.store.postgres.listener import Listener, WakeUp
from nodeunit.store.read import projections
from nodeunit.store.write import membership, operators, unit_reads
from nodeunit.store.write.decisions import DecisionStream
from nodeunit.store.write.membership import ProgramSample
from tests.support.locks import until_waiting
from tests.support.logins import Login
from tests.support.logs import whole_log
from tests.support.lossy_proxy import Loss, LossyProxy
from tests.support.members import claim, join
from tests.support.rows import deployment, insert_deployments, rows, value
from tests.support.waiting import eventually


async def test_a_unit_can_do_all_that_a_unit_does(database: str, login: Login) -> None:
    conninfo = login(unit="unit-1")
    insert_deployments(database, 3)
    await requirements.require(conninfo, timescaledb=True)
    heard: list[WakeUp] = []
    listening = asyncio.create_task(Listener(conninfo, heard.append).run())
    async with connections.pool(conninfo, "test") as pool, connections.pool(login(unit="unit-2"), "test") as others:
        unit, other = await join(pool, "unit-1"), await join(others, "unit-2")
        stream = DecisionStream(unit)
        await stream.append(DeploymentClaimSkipped("no_candidate"))
        (first, second, _) = (await unit_reads.round_inputs(pool, 64)).candidates
        assert await claim(stream, "unit-1", first)
        assert not await claim(stream, "unit-1", first)
        assert await claim(stream, "unit-1", second)
        await unit.heartbeat(Usage(1.0, 1.0), [ProgramSample(first.id, 1, 1.0, 1.0)])
        (held, _) = await unit_reads.programs_of(pool, "unit-1")
        assert await unit.release(held, "drained")
        await unit.notify("eligible", ["unit-2"])
        assert not await other.declare_lost(["unit-1"])
        assert await membership.lease_of(pool, "unit-1") is not None
        await unit.begin_draining()
        await unit.record_supervisor_death()
        await unit.end_drain()
        await unit.leave()
        assert len(await whole_log(conninfo)) > 10
        await eventually(lambda: len(heard) >= 2, what="it hears")
    listening.cancel()
    await asyncio.wait([listening])
    assert await projections.verify(database) == []


@pytest.mark.parametrize("loss", [Loss.ANSWER, Loss.IN_FLIGHT])
async def test_a_unit_can_find_out_what_became_of_an_append(database: str, login: Login, loss: Loss) -> None:
    async with LossyProxy(login(unit="unit-1")) as lossy, connections.pool(lossy.conninfo, "test") as pool:
        await pool.wait()
        stream = DecisionStream(await join(pool, "unit-1"))
        lossy.lose(b"DeploymentClaimSkipped", loss)
        with psycopg.connect(database) as obstacle:
            obstacle.execute("select from lease for update")
            appending = asyncio.create_task(stream.append(DeploymentClaimSkipped("no_candidate")))
            await until_waiting(database)
        await appending
    assert value(database, "select count(*) from event where type = 'DeploymentClaimSkipped'") == 1


FORBIDDEN = {
    "nodeunit_unit": [
        "insert into event (stream_id, stream_version, type) values ('s', 1, 'T')",
        "update event set type = 'T'",
        "delete from event",
        "truncate event",
        "insert into assignment_order (deployment_id, version, assignment) values (gen_random_uuid(), 0, 'free')",
        "insert into membership_order values ('u', 1, 'present', null, null)",
        "update lease set expires_at = expires_at + interval '1 day'",
        "select from lease for update",
        "select from unit_login",
        "select enroll_unit('mallory', null, 'unit-1')",
        "select require_enrolled_logins(false)",
        "insert into deployment default values",
        "update deployment set address = 'unit-1'",
        "delete from deployment",
        "insert into usage (unit_address, cpu_percent, memory_mb) values ('u', 0, 0)",
        "delete from current_usage",
        "update fleet set leases_count_from = now()",
        "update unit set cordoned = false",
        "insert into wake_up default values",
        "update schema_migration set checksum = ''",
        "select append_assignment(gen_random_uuid(), 1, 'u', 'T', 'u', '{}', gen_random_uuid())",
        "select append_membership('u', 'present', 'T', '{}', gen_random_uuid())",
        "select follow_address_set_by_hand(gen_random_uuid(), 0, '', 'u')",
        "select append_operator_request('unit-1', 'UnitCordoned', '{}')",
        "select cordon_unit('unit-1')",
        "select deployment_address_rebuild()",
        "select unit_rebuild()",
        "create table mine ()",
        "alter table event disable trigger all",
        "drop trigger event_is_append_only on event",
        "set session_replication_role = replica",
    ],
    "nodeunit_operator": [
        "insert into event (stream_id, stream_version, type) values ('s', 1, 'T')",
        "update deployment set address_version = 7",
        "update deployment set revision = 7",
        "insert into deployment (address_version) values (7)",
        "update lease set epoch = null",
        "select declare_lost('unit-1', 1, 'unit-1', gen_random_uuid())",
        "select join_unit('u', gen_random_uuid(), interval '1 s', interval '1 s', '{}', gen_random_uuid())",
        "select append_decisions('unit-1', 1, 0, '[]')",
        "select release_deployment('unit-1', 1, gen_random_uuid(), 1, 'drained', gen_random_uuid())",
        "select wake('deployment', '*')",
        "truncate deployment",
    ],
    "nodeunit_reader": [
        "insert into deployment default values",
        "update deployment set enabled = false",
        "delete from deployment",
        "select cordon_unit('unit-1')",
        "select heartbeat('unit-1', 1, interval '1 s', interval '1 s', 0, 0, '[]')",
        "select wake('deployment', '*')",
        "update event set type = 'T'",
    ],
}


@pytest.mark.parametrize("role", FORBIDDEN)
async def test_everything_else_is_forbidden(database: str, pool: Pool, login: Login, role: str) -> None:
    await join(pool, "unit-1")
    insert_deployments(database)
    conninfo = login(role)
    for statement in FORBIDDEN[role]:
        with pytest.raises(psycopg.errors.InsufficientPrivilege) as refused:
            rows(conninfo, statement)
        assert "nodeunit_unit" in str(connections.translate_error(refused.value)), statement


async def test_an_operator_writes_deployments_and_moves_units(database: str, pool: Pool, login: Login) -> None:
    await join(pool, "unit-1")
    conninfo = login("nodeunit_operator")
    (one,) = insert_deployments(conninfo, address="unit-1")
    rows(conninfo, "update deployment set enabled = false, address = '' where id = %s", (one,))
    rows(conninfo, "delete from deployment")
    async with await connections.connect(conninfo, "operator") as connection:
        await operators.cordon(connection, "unit-1")
        await operators.uncordon(connection, "unit-1")
    rows(conninfo, "select drain_unit('unit-1', interval '1 minute')")
    by = {row["by"] for row in rows(database, "select data ->> 'by' as by from event where data ? 'by'")}
    assert by == {psycopg.conninfo.conninfo_to_dict(conninfo)["user"]}, "who did it is the one who logged in"
    assert await projections.verify(database) == []


async def test_a_reader_reads(database: str, pool: Pool, login: Login) -> None:
    insert_deployments(database)
    conninfo = login("nodeunit_reader")
    assert [each.type for each in await whole_log(conninfo)] == ["DeploymentCreated"]
    for table in (
        "deployment_shown",
        "unit",
        "usage",
        "lease",
        "current_usage",
        "assignment_order",
        "schema_migration",
    ):
        rows(conninfo, "select * from " + table)


async def test_a_login_without_a_role_is_told_which_there_are(database: str, login: Login) -> None:
    conninfo = login()
    with pytest.raises(DatabaseError, match="grant the login one of the roles nodeunit_unit, nodeunit_operator"):
        await requirements.require(conninfo)


async def test_temporary_tables_do_not_deceive_the_functions(database: str, pool: Pool, login: Login) -> None:
    """Functions run with their owner's rights: a caller's own tables of the same names must mean nothing to them."""
    taker = await join(pool, "unit-2")
    await join(pool, "unit-1")
    (one,) = insert_deployments(database, address="unit-1")
    with psycopg.connect(login(unit="unit-2"), autocommit=True) as thief:
        for table in ("lease", "assignment_order", "event"):
            thief.execute(
                "create temp table " + table + " (like public." + table + " including defaults including identity)"
            )
        thief.execute(
            "alter table pg_temp.assignment_order "
            "add constraint assignment_order_has_one_event_per_version primary key (deployment_id, version)"
        )
        thief.execute("insert into pg_temp.lease select * from public.lease where address = 'unit-2'")
        thief.execute(
            "insert into pg_temp.lease (address, supervisor, renewed_at, expires_at, inactive_at) "
            "values ('unit-1', gen_random_uuid(), now(), now(), now())"
        )
        thief.execute(
            "select claim_deployment('unit-2', %s, 0, '[]', %s, 1, 'unit-1', gen_random_uuid())", (taker.epoch, one)
        )
    assert deployment(database, one)["address"] == "unit-1", "it took what a living unit holds"
    assert await projections.verify(database) == []


async def test_no_function_is_open_to_everybody(database: str, login: Login) -> None:
    found = rows(
        login(),
        "select p.oid::regprocedure::text as name from pg_proc p where p.pronamespace = 'public'::regnamespace "
        "and p.prokind = 'f' "
        "and has_function_privilege(p.oid, 'execute') "
        "and not exists (select from pg_depend d where d.objid = p.oid and d.deptype = 'e')",
    )
    assert [row["name"] for row in found] == []
