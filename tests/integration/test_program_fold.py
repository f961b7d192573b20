"""Table program says what a unit last reported of a program: each event by itself, old ones too, and in any order."""

import random
from datetime import timedelta
from typing import Any, LiteralString
from uuid import UUID, uuid4

import psycopg
import pytest

from nodeunit.store.postgres.connections import Pool
from nodeunit.store.read import projections
from tests.support.members import join, lose
from tests.support.process_reports import exited, program, programs, report, started, told
from tests.support.rows import insert_deployments, rows, value

Event = tuple[str, dict[str, Any]]


@pytest.fixture
async def row(database: str, pool: Pool) -> UUID:
    """A row that unit-1 holds by its first claim."""
    await join(pool, "unit-1")
    (one,) = insert_deployments(database, address="unit-1")
    return one


def state(conninfo: str, row: UUID) -> tuple[Any, ...]:
    found = program(conninfo, row, "unit-1")
    return found["state"], found["reason"]


async def test_a_life_from_install_to_stop(database: str, row: UUID) -> None:
    install: dict[str, Any] = {"runtime": "npm", "package_name": "@yuants/app", "package_version": "^1.0.0"}
    ready = told("ProcessReady", row, pid=4711, after_s=0.4)
    stopping = told("ProcessStopping", row, pid=4711, reason="disabled")
    life: list[tuple[Event, tuple[str, str]]] = [
        (told("ProgramInstalling", row, **install), ("installing", "")),
        (told("ProgramInstalled", row, **install | {"package_version": "1.2.3"}), ("starting", "")),
        (started(row, port=20001, awaits_check=True), ("starting", "")),
        (ready, ("running", "")),
        (stopping, ("stopping", "disabled")),
        (told("ProcessNotEnded", row, pid=4711, detail="uninterruptible sleep"), ("stopping", "not_ended")),
        (exited(row, reason="stopped", code=None, signal=15), ("stopped", "stopped")),
    ]  # fmt: skip
    for event, expected in life:
        report(database, "unit-1", event)
        assert state(database, row) == expected, event
        assert await projections.verify(database) == []
    ended = program(database, row, "unit-1")
    assert (ended["pid"], ended["port"], ended["ready_since"], ended["exit_signal"]) == (None, None, None, 15)
    assert (ended["package_version"], ended["restarts"], ended["failures"]) == ("1.2.3", 0, 0)


async def test_a_program_without_a_check_is_ready_when_it_starts(database: str, row: UUID) -> None:
    report(database, "unit-1", started(row, port=20001))
    found = program(database, row, "unit-1")
    assert (found["state"], found["port"], found["ready_since"]) == ("running", 20001, found["started_at"])


async def test_restarts_and_failures_are_counted_until_a_healthy_run(database: str, row: UUID) -> None:
    report(database, "unit-1", started(row))
    for _ in range(3):
        report(database, "unit-1", exited(row), started(row))
    found = program(database, row, "unit-1")
    assert (found["restarts"], found["failures"], found["exit_code"]) == (3, 3, 3)
    report(database, "unit-1", exited(row, ran_s=61))
    found = program(database, row, "unit-1")
    assert (found["state"], found["restarts"], found["failures"]) == ("backoff", 3, 1)


async def test_a_crash_loop_is_a_reason_until_a_healthy_run(database: str, row: UUID) -> None:
    loop = told(
        "ProcessCrashLooping", row, failures=5, exit_code=3, signal=None, last_lines=["a", "no such host"], retry_s=30
    )
    report(database, "unit-1", started(row), exited(row), loop)
    found = program(database, row, "unit-1")
    assert (found["state"], found["reason"], found["detail"], found["failures"]) == (
        "backoff", "crash_loop", "no such host", 5
    )  # fmt: skip
    assert found["next_try_at"] - found["since"] >= timedelta(seconds=30)
    report(database, "unit-1", started(row))
    assert state(database, row) == ("running", "crash_loop")
    assert program(database, row, "unit-1")["next_try_at"] is None
    report(database, "unit-1", exited(row))
    assert state(database, row) == ("backoff", "crash_loop")
    report(database, "unit-1", started(row), exited(row, ran_s=61, reason="startup_timeout"))
    assert state(database, row) == ("backoff", "crash_loop"), "it was never ready"
    report(database, "unit-1", started(row), exited(row, ran_s=61))
    assert state(database, row) == ("backoff", "exited")


@pytest.mark.parametrize(
    "reason", ["out_of_memory", "too_many_processes", "unhealthy", "startup_timeout", "spawn_failed", "exited"]
)
async def test_ends_that_nobody_asked_for_lead_to_a_backoff(database: str, row: UUID, reason: str) -> None:
    report(database, "unit-1", started(row), exited(row, reason=reason))
    assert state(database, row) == ("backoff", reason)


@pytest.mark.parametrize("reason", ["stopped", "lease_expired", "unit_ended", "supervisor_died"])
async def test_ends_that_somebody_asked_for_are_stops(database: str, row: UUID, reason: str) -> None:
    report(database, "unit-1", started(row), exited(row, reason=reason))
    assert state(database, row) == ("stopped", reason)


async def test_a_failed_install_waits_or_is_parked(database: str, row: UUID) -> None:
    failed: dict[str, Any] = {
        "runtime": "npm",
        "package_name": "a",
        "package_version": "1",
        "detail": "the registry does not answer",
    }
    report(database, "unit-1", told("ProgramInstallFailed", row, **failed, reason="registry_unreachable", retry_s=10.0))
    found = program(database, row, "unit-1")
    assert (found["state"], found["reason"]) == ("backoff", "registry_unreachable")
    assert found["next_try_at"] - found["since"] == timedelta(seconds=10)
    report(database, "unit-1", told("ProgramInstallFailed", row, **failed, reason="wrong_bytes", retry_s=None))
    found = program(database, row, "unit-1")
    assert (found["state"], found["reason"], found["next_try_at"]) == ("parked", "wrong_bytes", None)


async def test_an_update_that_cannot_be_installed_leaves_the_old_program_running(database: str, row: UUID) -> None:
    install: dict[str, Any] = {"runtime": "npm", "package_name": "a", "package_version": "2.0.0"}
    report(database, "unit-1", started(row, package_version="1.0.0"), told("ProgramInstalling", row, **install))
    assert state(database, row) == ("running", "installing_update")
    failed = told(
        "ProgramInstallFailed", row, **install, reason="no_such_version", detail="there is no 2.0.0", retry_s=None
    )
    report(database, "unit-1", failed)
    found = program(database, row, "unit-1")
    assert (found["state"], found["reason"], found["pid"]) == ("running", "no_such_version", 4711)
    report(database, "unit-1", exited(row, reason="stopped"), started(row, revision=2, package_version="2.0.1"))
    found = program(database, row, "unit-1")
    assert (found["state"], found["reason"], found["package_version"], found["restarts"]) == ("running", "", "2.0.1", 0)


async def test_a_late_end_of_an_earlier_claim_changes_nothing(database: str, row: UUID) -> None:
    report(database, "unit-1", started(row), started(row, 3, pid=4712), exited(row, 1))
    found = program(database, row, "unit-1")
    assert (found["state"], found["pid"], found["claim_version"], found["restarts"]) == ("running", 4712, 3, 0)


async def test_events_of_before_0_2_have_no_claim(database: str, row: UUID) -> None:
    kind, data = exited(row)
    del data["claim_version"]
    report(database, "unit-1", started(row), (kind, data))
    assert (state(database, row), program(database, row, "unit-1")["claim_version"]) == (("backoff", "exited"), 1)
    parked = {"deployment_id": str(row), "reason": "untrusted", "detail": "not trusted"}
    report(database, "unit-1", ("ProcessParked", parked))
    assert state(database, row) == ("parked", "untrusted")


@pytest.mark.parametrize(
    "kind",
    ["ProcessStarted", "ProcessReady", "ProcessStopping", "ProcessNotEnded", "ProcessExited", "ProcessCrashLooping",
     "ProcessParked", "ProgramInstalling", "ProgramInstalled", "ProgramInstallFailed"],
)  # fmt: skip
async def test_an_event_without_its_fields_refuses_no_append(database: str, row: UUID, kind: str) -> None:
    """A unit repeats an append until it is written, so a fold that fails would stop it for good."""
    report(database, "unit-1", (kind, {"deployment_id": str(row)}), started(row), (kind, {"deployment_id": str(row)}))
    assert value(database, "select count(*) from event where type = %s", (kind,)) >= 2
    assert await projections.verify(database) == []


async def test_the_program_of_a_deleted_row_is_removed_when_it_ends(database: str, row: UUID) -> None:
    report(database, "unit-1", started(row))
    rows(database, "delete from deployment where id = %s", (row,))
    report(database, "unit-1", exited(row, reason="stopped"))
    assert programs(database, row) == 0
    assert await projections.verify(database) == []


async def test_a_person_who_has_locked_or_deleted_the_row_keeps_no_unit_waiting(database: str, row: UUID) -> None:
    with psycopg.connect(database) as person:
        person.execute("select from deployment for update")
        person.execute("delete from deployment")
        with psycopg.connect(database, autocommit=True, options="-c lock_timeout=1000") as unit:
            unit.execute(
                "select append_decisions('unit-1', l.epoch, l.stream_version, jsonb_build_array(jsonb_build_object("
                "'event_id', gen_random_uuid(), 'deployment_id', %s::text, 'type', 'ProcessStarted', "
                """'data', '{"pid": 1, "revision": 1, "claim_version": 1}'::jsonb))) from lease l""",
                (row,),
            )
        person.rollback()
    assert state(database, row) == ("running", "")


TAMPERING: list[LiteralString] = [
    "update program set state = 'running', reason = ''",
    "update program set failures = 99",
    "delete from program",
    """insert into program (deployment_id, unit_address, claim_version, position, state, since)
    select id, 'unit-2', 0, 1, 'running', now() from deployment where type = 'daemon'""",
]


@pytest.mark.parametrize("statement", TAMPERING)
async def test_tampering_is_found_and_rebuilt(database: str, pool: Pool, row: UUID, statement: LiteralString) -> None:
    await join(pool, "unit-2")
    rows(database, "insert into deployment (package_name, type) values ('d', 'daemon')")
    report(database, "unit-1", started(row), exited(row))
    before = rows(database, "select * from program")
    rows(database, statement)
    (found,) = await projections.verify(database)
    assert found.projection == "program"
    assert await projections.rebuild(database) == {"deployment_address": 0, "unit": 0, "program": 1}
    assert await projections.verify(database) == []
    assert rows(database, "select * from program") == before


async def test_in_any_order_the_table_is_the_fold_of_the_log(database: str, pool: Pool) -> None:
    """Units start and end programs, are lost and come back; rows move, go, and come back under their ids."""
    rng = random.Random(11)
    ids = [uuid4() for _ in range(4)]
    units = {name: await join(pool, name, lease_ttl_s=1800) for name in ("unit-1", "unit-2")}
    for n in range(100):
        row, name = rng.choice(ids), rng.choice(list(units))
        claim = value(database, "select coalesce(max(address_version), 1) from deployment where id = %s", (row,))
        claim = max(claim - rng.choice((0, 0, 0, 2)), 0)
        match rng.randrange(9):
            case 0:
                kind = rng.choice(("deployment", "daemon"))
                rows(database, "insert into deployment (id, type) values (%s, %s) on conflict do nothing", (row, kind))
            case 1:
                rows(database, "delete from deployment where id = %s", (row,))
            case 2 | 3:
                rows(database, "update deployment set address = %s where id = %s and type = 'deployment'", (name, row))
            case 4 if rng.random() < 0.3:
                other = next(unit for address, unit in units.items() if address != name)
                await lose(pool, database, other, name)
                units[name] = await join(pool, name, lease_ttl_s=1800)
            case _:
                reports = [
                    started(row, claim, revision=rng.randrange(1, 3)),
                    exited(row, claim),
                    exited(row, claim, reason="stopped"),
                    told("ProcessReady", row, claim, pid=4711),
                    told("ProcessParked", row, claim, reason="untrusted", detail=""),
                    told("ProgramInstalling", row, claim),
                    told("ProgramInstallFailed", row, claim, reason="x", retry_s=1),
                ]
                report(database, name, *rng.sample(reports, 2))
        if n % 10 == 9:
            assert await projections.verify(database) == []
    assert value(database, "select count(*) from program") > 0
