"""The log says that a supervisor died, and its programs with it; and an orderly end stays an orderly end."""

import os
import signal
from collections.abc import Callable
from typing import Any

import pytest
from typer.testing import CliRunner

from nodeunit.cli.app import app
from tests.e2e.fleet import Fleet
from tests.support.unit_process import UnitProcess
from tests.support.waiting import wait_until

pytestmark = pytest.mark.e2e

StartUnit = Callable[..., UnitProcess]

DEAF = "/usr/bin/env python3 -I -S -c 'import signal; signal.signal(15, signal.SIG_IGN); signal.pause()'"


def run_two(fleet: Fleet, start_unit: StartUnit, *, grace: str = "10") -> UnitProcess:
    """A unit that runs two programs."""
    for command in ("sleep 1000", DEAF):
        fleet.execute("insert into deployment (package_name, package_version, command) values ('a', '1', %s)", command)
    unit = start_unit(fleet.conninfo, NODE_UNIT_STOP_GRACE=grace)
    wait_until(lambda: len(fleet.running()) == 2, within_s=20, what="both run")
    return unit


def since_the_start(fleet: Fleet) -> list[tuple[str, str]]:
    """Type and reason of what came after the last start."""
    found = fleet.query(
        "select type, coalesce(data ->> 'reason', '') as reason from event where type ~ '^(Process|DeploymentRe|Unit)'"
        " and position > (select max(position) from event where type = 'ProcessStarted') order by position"
    )
    return [(row["type"], row["reason"]) for row in found]


def why(fleet: Fleet) -> str:
    (row, *_) = fleet.query("select id from deployment order by id")
    result: Any = CliRunner().invoke(app, ["why", str(row["id"]), "-d", fleet.conninfo])
    assert result.exit_code == 0, result.output
    return str(result.stdout)


@pytest.mark.parametrize("draining", [False, True])
def test_a_supervisor_that_was_killed_has_not_drained(database: str, start_unit: StartUnit, draining: bool) -> None:
    fleet = Fleet(database)
    unit = run_two(fleet, start_unit)
    if draining:
        unit.terminate()
        wait_until(lambda: fleet.events("ProcessExited"), what="the program that listens to SIGTERM has ended")
    os.kill(unit.pid, signal.SIGKILL)
    wait_until(lambda: fleet.events("UnitLeft"), what="the daemon has left for its supervisor")

    of_the_dead = [
        ("UnitSupervisorDied", ""),
        *[("ProcessExited", "supervisor_died")] * (1 if draining else 2),
        *[("DeploymentReleased", "supervisor_died")] * (1 if draining else 2),
        ("UnitLeft", ""),
    ]
    of_the_drain = [("UnitDraining", ""), ("ProcessExited", "stopped"), ("DeploymentReleased", "drained")]
    found = since_the_start(fleet)
    if draining:
        # The death may come before or after the release of the program that has ended.
        assert sorted(found[:-4]) in (sorted(of_the_drain), sorted(of_the_drain[:2]))
        assert [one for one in found if one not in of_the_drain][-4:] == of_the_dead
    else:
        assert found == of_the_dead
        assert "before, unit-1 lost it when its supervisor died" in why(fleet)
    ended = fleet.events("ProcessExited")[-1]["data"]
    assert (ended["exit_code"], ended["signal"]) == (None, None), "nobody was there to take it"
    assert 0 < ended["ran_s"] < 100
    assert ended["claim_version"] == 1
    fleet.assert_sound()


def test_a_supervisor_that_ends_without_waiting_for_its_daemon_has_not_died(
    database: str, start_unit: StartUnit
) -> None:
    fleet = Fleet(database)
    unit = run_two(fleet, start_unit, grace="100")
    unit.terminate()
    wait_until(lambda: fleet.events("ProcessExited"), what="the program that listens to SIGTERM has ended")
    wait_until(lambda: asked_again(unit), within_s=10, every_s=0.5, what="the second SIGTERM is taken for one")
    assert unit.wait(within_s=20) == 3
    types = [kind for kind, _ in since_the_start(fleet)]
    assert "UnitSupervisorDied" not in types
    assert types[-1] == "UnitLeft"
    assert [event["data"]["reason"] for event in fleet.events("DeploymentReleased")] == ["drained"] * 2
    fleet.assert_sound()


def asked_again(unit: UnitProcess) -> bool:
    unit.terminate()
    return "asked to end once more" in unit.log
