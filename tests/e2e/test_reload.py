"""The daemon is replaced, asked or not; its programs do not notice."""

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.support.rows import rows, value
from tests.support.unit_process import UnitProcess
from tests.support.waiting import wait_until

pytestmark = pytest.mark.e2e

StartUnit = Callable[..., UnitProcess]


def insert_sleeper(database: str) -> None:
    """A program that runs until it is told to stop."""
    rows(database, "insert into deployment (package_name, package_version, command) values ('a', '1', 'sleep 1000')")


def sleepers(unit: UnitProcess) -> dict[int, float]:
    """The programs of a unit: pid and start."""
    found = {}
    for process in unit.descendants():
        try:
            if process.name() == "sleep":
                found[process.pid] = process.create_time()
        except psutil.NoSuchProcess:
            continue
    return found


def daemon(unit: UnitProcess) -> int:
    """The pid of the daemon, waited for."""

    def found() -> list[int]:
        return [process.pid for process in unit.descendants() if "nodeunit.daemon" in process.cmdline()]

    (pid,) = wait_until(found, what="there is a daemon")
    return pid


def joined(database: str) -> list[dict[str, Any]]:
    return rows(database, "select data from event where type = 'UnitJoined' order by position")


@pytest.fixture
def unit(database: str, start_unit: StartUnit) -> UnitProcess:
    """A unit with one program."""
    insert_sleeper(database)
    unit = start_unit(database)
    wait_until(lambda: len(sleepers(unit)) == 1, what="the program runs")
    return unit


@pytest.mark.parametrize("how", ["SIGHUP to the supervisor", "SIGKILL to the daemon"])
def test_a_new_daemon_takes_over_what_runs(database: str, unit: UnitProcess, how: str) -> None:
    before, old = sleepers(unit), daemon(unit)
    if how.startswith("SIGHUP"):
        unit.process.send_signal(signal.SIGHUP)
    else:
        os.kill(old, signal.SIGKILL)
    wait_until(lambda: len(joined(database)) == 2, what="another daemon has joined")
    first, second = (event["data"] for event in joined(database))
    assert second["succeeds"] == first["epoch"]
    assert second["supervisor"] == first["supervisor"]
    assert second["containment"] == first["containment"] in ("control_groups", "process_trees")
    insert_sleeper(database)
    wait_until(lambda: len(sleepers(unit)) == 2, what="the new daemon claims and starts")
    assert daemon(unit) != old
    assert before.items() <= sleepers(unit).items(), "the program was not restarted"
    assert value(database, "select count(*) from event where type = 'ProcessExited'") == 0
    assert value(database, "select count(*) from event where type = 'UnitLost'") == 0


def test_an_exit_while_there_is_no_daemon_is_in_the_log_all_the_same(
    database: str, unit: UnitProcess, tmp_path: Path
) -> None:
    (program,) = sleepers(unit)
    pid = daemon(unit)
    os.kill(pid, signal.SIGSTOP)
    os.kill(program, signal.SIGTERM)
    wait_until(lambda: program not in sleepers(unit), what="the program is gone")
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: len(sleepers(unit)) == 1, what="it runs again")
    (exited,) = rows(database, "select data from event where type = 'ProcessExited'")
    assert (exited["data"]["pid"], exited["data"]["signal"]) == (program, signal.SIGTERM)
