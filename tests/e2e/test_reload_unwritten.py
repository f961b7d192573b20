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

from tests.support.restarting_unit import RULE
from tests.support.rows import rows, value
from tests.support.unit_process import UnitProcess
from tests.support.waiting import wait_until

pytestmark = pytest.mark.e2e

StartUnit = Callable[..., UnitProcess]

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


def insert(database: str, command: str) -> str:
    inserted = rows(
        database,
        "insert into deployment (package_name, package_version, command) values ('a', '1', %s) returning id",
        (command,),
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
def test_a_crash_loop_is_parked_once_and_stays_parked_until_its_row_changes(
    database: str, start_unit: StartUnit, how: str
) -> None:
    unit = start_unit(database, module="tests.support.restarting_unit")
    with held_back(database, "ProcessParked"):
        crashing = insert(database, "false")
        end_daemon_in_the_middle(database, unit, how)
    wait_until(lambda: logged(database, "ProcessParked", crashing), what="the parking is in the log")
    ends = len(logged(database, "ProcessExited", crashing))

    healthy = insert(database, "sleep 1000")
    wait_until(lambda: logged(database, "ProcessStarted", healthy), what="what started later is in the log")
    assert len(logged(database, "ProcessParked", crashing)) == 1
    assert len(logged(database, "ProcessExited", crashing)) == ends == RULE.park_after
    assert len(logged(database, "ProcessStarted", crashing)) == RULE.park_after

    (daemon,) = daemons(unit)
    os.kill(daemon, signal.SIGKILL)  # once more, with everything written
    third = insert(database, "sleep 1000")
    wait_until(lambda: logged(database, "ProcessStarted", third), what="the next daemon claims and starts")
    assert len(logged(database, "ProcessStarted", crashing)) == RULE.park_after
    assert len(logged(database, "ProcessParked", crashing)) == 1

    rows(database, "update deployment set args = '[\"changed\"]' where id = %s", (crashing,))
    wait_until(
        lambda: len(logged(database, "ProcessStarted", crashing)) > RULE.park_after, what="a changed row is tried again"
    )
