"""What a daemon has not written when it ends is in the log once all the same, and what it had parked stays parked."""

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import psutil
import psycopg
import pytest
from psycopg import sql

from tests.support.rows import rows, value
from tests.support.unit_process import UnitProcess
from tests.support.waiting import wait_until

pytestmark = pytest.mark.e2e

StartUnit = Callable[..., UnitProcess]

ENDS = 4
"""After so many ends in a row the crashing row of these tests is parked."""

ENDINGS = ["SIGHUP to the supervisor", "SIGKILL to the daemon", "SIGKILL to the daemon, whose last append is committed"]


@contextmanager
def held_back(database: str, event_type: str) -> Iterator[None]:
    """Until the block ends, an append with an event of this type waits in the middle of its transaction."""
    rows(
        database,
        "create function wait_for_the_test() returns trigger language plpgsql as "
        "'begin perform pg_advisory_xact_lock_shared(4711); return new; end'",
    )
    trigger = sql.SQL(
        "create trigger waits_for_the_test before insert on event for each row when (new.type = {}) "
        "execute function wait_for_the_test()"
    )
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("select pg_advisory_lock(4711)")
        connection.execute(trigger.format(event_type))
        yield


def held_appends(database: str) -> list[int]:
    """The backends that wait."""
    found = rows(
        database,
        "select pid from pg_stat_activity where datname = current_database() and wait_event = 'advisory'",
    )
    return [row["pid"] for row in found]


def daemons(unit: UnitProcess) -> list[int]:
    found = []
    for process in unit.descendants():
        try:
            if "--link-fd" in process.cmdline():
                found.append(process.pid)
        except psutil.NoSuchProcess:
            continue
    return found


def end_daemon_in_the_middle(database: str, unit: UnitProcess, how: str) -> None:
    """With an append of its held back: end the daemon, so that the append is rolled back or, if that is how, committed
    when it is not held back any more."""
    (backend,) = wait_until(lambda: held_appends(database), what="the append is under way")
    (daemon,) = daemons(unit)
    if how.startswith("SIGHUP"):
        unit.process.send_signal(signal.SIGHUP)
    else:
        os.kill(daemon, signal.SIGKILL)
    wait_until(lambda: daemon not in daemons(unit), what="that daemon is gone")
    if not how.endswith("committed"):
        rows(database, "select pg_terminate_backend(%s)", (backend,))
        wait_until(lambda: backend not in held_appends(database), what="the append is rolled back")


def insert(database: str, command: str, restart: str = "always", limit: int | None = None) -> str:
    inserted = rows(
        database,
        "insert into deployment (package_name, package_version, command, restart, restart_limit) "
        "values ('a', '1', %s, %s, %s) returning id",
        (command, restart, limit),
    )
    return str(inserted[0]["id"])


def logged(database: str, event_type: str, deployment_id: str) -> list[dict[str, Any]]:
    return rows(database, "select data from event where type = %s and deployment_id = %s", (event_type, deployment_id))


@pytest.mark.parametrize("how", ENDINGS)
def test_a_start_that_the_daemon_could_not_write_is_in_the_log_once(
    database: str, start_unit: StartUnit, how: str
) -> None:
    unit = start_unit(database)
    with held_back(database, "ProcessStarted"):
        first = insert(database, "sleep 1000")
        end_daemon_in_the_middle(database, unit, how)
    wait_until(lambda: logged(database, "ProcessStarted", first), what="the start is in the log")

    second = insert(database, "sleep 1000")
    wait_until(lambda: logged(database, "ProcessStarted", second), what="what started later is in the log")
    assert len(logged(database, "ProcessStarted", first)) == 1
    assert value(database, "select count(*) from event where type = 'ProcessExited'") == 0


@pytest.mark.parametrize("how", ENDINGS)
def test_what_its_row_lets_park_is_parked_once_and_stays_parked_until_the_row_changes(
    database: str, start_unit: StartUnit, how: str
) -> None:
    unit = start_unit(database, module="tests.support.restarting_unit")
    with held_back(database, "ProcessParked"):
        crashing = insert(database, "false", limit=ENDS - 1)
        end_daemon_in_the_middle(database, unit, how)
    wait_until(lambda: logged(database, "ProcessParked", crashing), what="the parking is in the log")
    ends = len(logged(database, "ProcessExited", crashing))

    healthy = insert(database, "sleep 1000")
    wait_until(lambda: logged(database, "ProcessStarted", healthy), what="what started later is in the log")
    assert len(logged(database, "ProcessParked", crashing)) == 1
    assert len(logged(database, "ProcessExited", crashing)) == ends == ENDS
    assert len(logged(database, "ProcessStarted", crashing)) == ENDS

    (daemon,) = daemons(unit)
    os.kill(daemon, signal.SIGKILL)  # once more, with everything written
    third = insert(database, "sleep 1000")
    wait_until(lambda: logged(database, "ProcessStarted", third), what="the next daemon claims and starts")
    assert len(logged(database, "ProcessStarted", crashing)) == ENDS
    assert len(logged(database, "ProcessParked", crashing)) == 1

    rows(database, "update deployment set args = '[\"changed\"]' where id = %s", (crashing,))
    wait_until(lambda: len(logged(database, "ProcessStarted", crashing)) > ENDS, what="a changed row is tried again")


def test_a_complete_program_stays_complete_when_its_daemon_is_killed(database: str, start_unit: StartUnit) -> None:
    unit = start_unit(database, module="tests.support.restarting_unit")
    done = insert(database, "true", "on_failure")
    failing = insert(database, "false", "on_failure")
    once = insert(database, "false", "never")
    wait_until(lambda: len(logged(database, "ProcessStarted", failing)) > 2, what="what fails is started again")
    for complete in (done, once):
        wait_until(lambda key=complete: logged(database, "ProcessExited", key), what="it has ended")  # type: ignore[misc]

    (daemon,) = daemons(unit)
    os.kill(daemon, signal.SIGKILL)
    later = insert(database, "sleep 1000")
    wait_until(lambda: logged(database, "ProcessStarted", later), what="the next daemon claims and starts")
    for complete in (done, once):
        assert len(logged(database, "ProcessStarted", complete)) == 1
        rows(database, "update deployment set updated_at = now() where id = %s", (complete,))
        wait_until(
            lambda key=complete: len(logged(database, "ProcessStarted", key)) == 2,  # type: ignore[misc]
            what="a restart that a person asked for starts it again",
        )
