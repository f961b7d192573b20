"""Real programs on real units: started in a clean environment, followed through every change, gone at the end."""

from collections.abc import Callable

import psutil
import pytest

from tests.e2e.fleet import Fleet
from tests.support.unit_process import UnitProcess, is_alive
from tests.support.waiting import wait_until

pytestmark = pytest.mark.e2e

StartUnit = Callable[..., UnitProcess]


def two_units(fleet: Fleet, start_unit: StartUnit, **settings: str) -> list[UnitProcess]:
    units = [start_unit(fleet.conninfo, name=name, **settings) for name in ("one", "two")]
    fleet.wait_for_measured_units(2)
    return units


def wait_for_programs(fleet: Fleet, count: int) -> dict[str, psutil.Process]:
    wait_until(lambda: len(fleet.running()) == count, within_s=30, what=f"{count} programs run")
    return fleet.running()


@pytest.mark.parametrize("policy", ["resource_usage", "deployment_count"])
def test_claimed_programs_run_in_a_clean_environment_and_leave_with_their_units(
    database: str, start_unit: StartUnit, policy: str
) -> None:
    fleet = Fleet(database)
    units = two_units(fleet, start_unit, NODE_UNIT_CLAIM_POLICY=policy)
    fleet.insert_servers(8)

    programs = wait_for_programs(fleet, 8)

    versions = {str(row["id"]): row for row in fleet.query("select * from deployment")}
    for key, program in programs.items():
        row = versions[key.partition("/")[0]]
        environment = program.environ()
        assert set(environment) - {"LC_CTYPE"} == {
            "PATH", "HOME", "LANG", "DEPLOYMENT_ID", "NODE_UNIT_ADDRESS", "NODEUNIT_CLAIM_VERSION",
        }  # fmt: skip
        assert environment["DEPLOYMENT_ID"] == str(row["id"])
        assert environment["NODE_UNIT_ADDRESS"] == row["address"]
        assert environment["NODEUNIT_CLAIM_VERSION"] == str(row["address_version"])
    secrets = [database, *(unit.settings["NODE_UNIT_PASSWORD"] + "\0" for unit in units)]
    for unit in units:
        for process in (psutil.Process(unit.pid), *unit.descendants()):
            shown = "\0".join(process.environ().values()) + "\0" + " ".join(process.cmdline())
            assert not any(secret in shown for secret in secrets), process
    fleet.assert_sound()

    for unit in units:
        unit.terminate()
    assert [unit.wait() for unit in units] == [0, 0]

    assert not any(map(is_alive, programs.values()))
    assert fleet.split() == {"": 8}
    assert {row["membership"] for row in fleet.query("select membership from unit")} == {"left"}
    fleet.assert_sound()


def test_a_changed_disabled_or_deleted_row_is_followed(database: str, start_unit: StartUnit) -> None:
    fleet = Fleet(database)
    two_units(fleet, start_unit)
    fleet.insert_servers(3)
    before = wait_for_programs(fleet, 3)
    changed, disabled, deleted = sorted({key.partition("/")[0] for key in before})

    fleet.execute("update deployment set env = %s where id = %s", '{"NEW": "value"}', changed)
    fleet.execute("update deployment set enabled = false where id = %s", disabled)
    fleet.execute("delete from deployment where id = %s", deleted)

    def only_the_changed_runs_anew() -> bool:
        now = fleet.running()
        return len(now) == 1 and all(p.pid not in {b.pid for b in before.values()} for p in now.values())

    wait_until(only_the_changed_runs_anew, within_s=20)
    (program,) = fleet.running().values()
    assert program.environ()["NEW"] == "value"
    assert not any(map(is_alive, before.values()))

    fleet.execute("update deployment set enabled = true where id = %s", disabled)
    again = wait_for_programs(fleet, 2)
    (key,) = (key for key in before if key.startswith(disabled))
    assert key in again, "on the unit that it ran on before, under the same claim"
    fleet.assert_sound()


def test_a_daemon_row_runs_once_on_every_unit_and_is_never_claimed(database: str, start_unit: StartUnit) -> None:
    fleet = Fleet(database)
    units = two_units(fleet, start_unit)
    fleet.insert_servers(1, kind="daemon")

    programs = wait_for_programs(fleet, 2)

    assert {p.environ()["NODE_UNIT_ADDRESS"] for p in programs.values()} == {unit.address for unit in units}
    assert fleet.events("DeploymentClaimed") == []
    fleet.assert_sound()


def test_rows_move_when_a_unit_leaves_and_when_an_operator_assigns_them(database: str, start_unit: StartUnit) -> None:
    fleet = Fleet(database)
    one, two = two_units(fleet, start_unit)
    fleet.insert_servers(4)
    wait_for_programs(fleet, 4)

    one.terminate()
    assert one.wait() == 0
    wait_until(lambda: fleet.split() == {two.address: 4}, within_s=20)
    wait_for_programs(fleet, 4)

    one_again = start_unit(database, name="one")
    fleet.wait_for_measured_units(2)
    fleet.execute("update deployment set address = %s", one_again.address)
    wait_until(lambda: set(fleet.program_variables("NODE_UNIT_ADDRESS")) == {one.address}, within_s=20)
    wait_for_programs(fleet, 4)
    fleet.assert_sound()


def test_what_ends_or_cannot_be_started_or_installed_is_tried_again(database: str, start_unit: StartUnit) -> None:
    fleet = Fleet(database)
    start_unit(database)
    fleet.wait_for_measured_units(1)
    fleet.insert_servers(1)
    (first,) = wait_for_programs(fleet, 1).values()

    first.kill()

    def again() -> bool:
        now = list(fleet.running().values())
        return len(now) == 1 and now[0].pid != first.pid

    wait_until(again, within_s=20)
    (exited,) = fleet.events("ProcessExited")
    assert (exited["data"]["signal"], exited["data"]["exit_code"], exited["data"]["reason"]) == (9, None, "exited")

    fleet.execute("insert into deployment (package_name, command) values ('@yuants/x', '/nonexistent/program')")
    wait_until(lambda: [e for e in fleet.events("ProcessExited") if e["data"]["reason"] == "spawn_failed"], within_s=20)
    fleet.execute("insert into deployment (package_name) values ('@yuants/no-command')")
    wait_until(
        lambda: [e["data"]["reason"] for e in fleet.events("ProgramInstallFailed")] == ["registry_unreachable"],
        within_s=40,
    )
    fleet.assert_sound()
