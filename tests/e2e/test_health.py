"""What a row says about health, on a real unit: when its program is ready, what ends it, and on which port it is."""

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.fleet import Fleet
from tests.support import checked_program
from tests.support.restarting_unit import RULE
from tests.support.unit_process import UnitProcess
from tests.support.waiting import wait_until

pytestmark = pytest.mark.e2e

StartUnit = Callable[..., UnitProcess]


def insert(fleet: Fleet, directory: Path, **columns: Any) -> str:
    """A row whose program has checks over HTTP; returns its id."""
    directory.mkdir(exist_ok=True)
    values = {
        "command": f"{sys.executable} -I -S {checked_program.__file__} {directory}", "wants_port": True,
        "startup_check": "http:$PORT/ready", "liveness_check": "http:$PORT/alive", "startup_timeout_s": 60.0,
    } | columns  # fmt: skip
    (row,) = fleet.query(
        "insert into deployment (package_name, package_version, command, wants_port, startup_check, liveness_check,"
        " startup_timeout_s) values ('@yuants/checked', '1', %s, %s, %s, %s, %s) returning id",
        values["command"], values["wants_port"], values["startup_check"], values["liveness_check"],
        values["startup_timeout_s"],
    )  # fmt: skip
    return str(row["id"])


def events(fleet: Fleet, kind: str, key: str) -> list[dict[str, Any]]:
    found = fleet.query("select data from event where type = %s and deployment_id = %s order by position", kind, key)
    return [row["data"] for row in found]


def test_a_program_becomes_ready_falls_sick_and_comes_back_on_its_port(
    database: str, start_unit: StartUnit, tmp_path: Path
) -> None:
    fleet = Fleet(database)
    unit = start_unit(database, module="tests.support.restarting_unit", NODE_UNIT_PORT_RANGE="21000-21999")
    key = insert(fleet, tmp_path / "a")
    other = insert(fleet, tmp_path / "b")
    (tmp_path / "b" / "ready").write_text("")
    wait_until(lambda: events(fleet, "ProcessReady", other), within_s=30, what="the other one is ready")

    assert events(fleet, "ProcessReady", key) == []
    (tmp_path / "a" / "ready").write_text("")
    (ready,) = wait_until(lambda: events(fleet, "ProcessReady", key), within_s=30, what="it is ready")
    (started,) = events(fleet, "ProcessStarted", key)
    assert ready["pid"] == started["pid"]
    assert ready["after_s"] > 0
    ports = {events(fleet, "ProcessStarted", one)[0]["port"] for one in (key, other)}
    assert len(ports) == 2
    assert all(21000 <= port <= 21999 for port in ports)

    (tmp_path / "a" / "ready").unlink()  # what was ready once is not ended for that, by any daemon
    (daemon,) = (process for process in unit.descendants() if "--link-fd" in process.cmdline())
    os.kill(daemon.pid, signal.SIGKILL)
    third = insert(fleet, tmp_path / "c")
    wait_until(lambda: events(fleet, "ProcessStarted", third), within_s=30, what="the next daemon works")
    (tmp_path / "a" / "sick").write_text("")
    (ended,) = wait_until(lambda: events(fleet, "ProcessExited", key), within_s=30, what="it is ended")
    assert ended["reason"] == "unhealthy"
    assert ended["detail"] == "3 checks in a row failed: /alive is answered with 503"

    (tmp_path / "a" / "sick").unlink()
    (tmp_path / "a" / "ready").write_text("")
    wait_until(lambda: len(events(fleet, "ProcessReady", key)) == 2, within_s=30, what="it is ready again")
    assert {one["port"] for one in events(fleet, "ProcessStarted", key)} == {started["port"]}
    assert len(events(fleet, "ProcessReady", other)) == 1
    assert events(fleet, "ProcessExited", other) == []
    assert len({events(fleet, "ProcessStarted", one)[0]["port"] for one in (key, other, third)}) == 3
    fleet.assert_sound()


@pytest.mark.timeout(200)
def test_a_program_that_never_becomes_ready_is_in_a_crash_loop(
    database: str, start_unit: StartUnit, tmp_path: Path
) -> None:
    fleet = Fleet(database)
    start_unit(database, module="tests.support.restarting_unit")
    key = insert(fleet, tmp_path / "a", startup_timeout_s=1.0)
    file = insert(fleet, tmp_path / "b", startup_check=f"file:{tmp_path / 'b' / 'up'}", startup_timeout_s=1.0)

    for one, found in (key, "/ready is answered with 503|Connection refused"), (file, "No such file or directory"):
        wait_until(
            lambda one=one: events(fleet, "ProcessCrashLooping", one),  # type: ignore[misc]
            within_s=60,
            what="it fails as often as a crash loop needs",
        )
        ends = events(fleet, "ProcessExited", one)
        assert len(ends) >= RULE.crash_loop_at
        assert {end["reason"] for end in ends} == {"startup_timeout"}
        assert all(any(part in end["detail"] for part in found.split("|")) for end in ends), ends
        assert events(fleet, "ProcessReady", one) == []

    of_before = tmp_path / "b" / "of before"
    of_before.write_text("")
    os.utime(of_before, (0, 0))
    of_before.rename(tmp_path / "b" / "up")  # older than any program: it does not count
    wait_until(
        lambda: events(fleet, "ProcessExited", file)[-1]["detail"].endswith("is older than the program"),
        within_s=100,
        what="a file of before is not enough",
    )
