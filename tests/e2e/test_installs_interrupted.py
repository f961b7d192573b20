"""Units and daemons that die in the middle of an installation, and a disk that is full: the row runs in the end."""

import os
import signal
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from tests.e2e.fleet import Fleet
from tests.support.registries import NpmRegistry
from tests.support.small_disk import small_disk
from tests.support.unit_process import UnitProcess, is_alive
from tests.support.waiting import wait_until

pytestmark = pytest.mark.e2e

StartUnit = Callable[..., UnitProcess]

STAYS = "setInterval(() => {}, 1 << 30)"
BEGINS = "insert into deployment (package_name, package_version) values (%s, '1.0.0')"


def publish_slow(registry: NpmRegistry, name: str, directory: Path) -> None:
    """Its installation writes its pid to `directory/begun`, and goes on when there is a file `directory/gate`."""
    script = f"echo $$ > {directory}/begun; while [ ! -e {directory}/gate ]; do sleep 0.05; done"
    registry.publish(name, "1.0.0", {"index.js": STAYS}, scripts={"install": script})


def allowing_scripts(registry: NpmRegistry, workspace: Path) -> dict[str, str]:
    return {
        "NODE_UNIT_NPM_REGISTRY": registry.url,
        "NODE_UNIT_NPM_SCRIPTS": "true",
        "NODE_UNIT_WORKSPACE": str(workspace),
    }


def begun(directory: Path) -> psutil.Process:
    """The script of the installation that has begun."""
    file = directory / "begun"
    wait_until(lambda: file.exists() and file.read_text().strip(), within_s=30, what="an installation has begun")
    found = psutil.Process(int(file.read_text()))
    file.unlink()
    return found


def daemon_of(unit: UnitProcess) -> psutil.Process:
    return next(process for process in unit.descendants() if "nodeunit.daemon" in process.cmdline())


def assert_installed_once(workspace: Path, name: str) -> None:
    store = workspace / "store"
    assert len(list((store / "npm").glob(f"{name.replace('/', '+')}@*"))) == 1
    assert list((store / ".unfinished").iterdir()) == []


def test_a_daemon_dies_in_the_middle(
    database: str, start_unit: StartUnit, npm_registry: NpmRegistry, tmp_path: Path
) -> None:
    publish_slow(npm_registry, "@yuants/daemon-dies", tmp_path)
    fleet = Fleet(database)
    workspace = tmp_path / "workspace"
    unit = start_unit(
        database,
        NODE_UNIT_NPM_REGISTRY=npm_registry.url,
        NODE_UNIT_NPM_SCRIPTS="true",
        NODE_UNIT_WORKSPACE=str(workspace),
    )
    fleet.wait_for_measured_units(1)
    fleet.execute(BEGINS, "@yuants/daemon-dies")
    first = begun(tmp_path)
    daemon_of(unit).kill()
    wait_until(lambda: not is_alive(first), what="the installation has ended with its daemon")
    begun(tmp_path)
    (tmp_path / "gate").touch()
    wait_until(lambda: len(fleet.running()) == 1, within_s=30, what="the program runs")
    assert_installed_once(workspace, "@yuants/daemon-dies")
    fleet.assert_sound()


def test_a_unit_dies_in_the_middle(
    database: str, start_unit: StartUnit, npm_registry: NpmRegistry, tmp_path: Path
) -> None:
    publish_slow(npm_registry, "@yuants/unit-dies", tmp_path)
    fleet = Fleet(database)
    workspace = tmp_path / "workspace"
    settings = allowing_scripts(npm_registry, workspace)
    unit = start_unit(database, **settings)
    fleet.wait_for_measured_units(1)
    fleet.execute(BEGINS, "@yuants/unit-dies")
    first = begun(tmp_path)
    everything = unit.descendants()
    unit.process.send_signal(signal.SIGKILL)
    unit.wait()
    wait_until(lambda: not is_alive(first), within_s=20, what="the installation has ended with its unit")
    wait_until(lambda: not any(map(is_alive, everything)), within_s=20, what="all of the unit has ended")

    start_unit(database, **settings)
    begun(tmp_path)
    (tmp_path / "gate").touch()
    wait_until(lambda: len(fleet.running()) == 1, within_s=30, what="the program runs")
    assert_installed_once(workspace, "@yuants/unit-dies")


def test_a_full_disk_is_said_and_heals(
    database: str, start_unit: StartUnit, npm_registry: NpmRegistry, tmp_path: Path
) -> None:
    large: dict[str, str | bytes] = {"index.js": STAYS, "data": os.urandom(8 * 2**20)}
    npm_registry.publish("@yuants/large", "1.0.0", large)
    fleet = Fleet(database)
    with small_disk(tmp_path / "disk", mib=28) as disk:
        (disk / "ballast").write_bytes(b"\0" * 22 * 2**20)
        unit = start_unit(
            database, NODE_UNIT_NPM_REGISTRY=npm_registry.url, NODE_UNIT_WORKSPACE=str(disk / "workspace")
        )
        fleet.wait_for_measured_units(1)
        fleet.execute(BEGINS, "@yuants/large")
        fleet.insert_servers(1)
        wait_until(lambda: fleet.events("ProgramInstallFailed"), within_s=30, what="it is said")
        (failed,) = fleet.events("ProgramInstallFailed")
        assert failed["data"]["reason"] == "disk_full"
        assert failed["data"]["retry_s"] > 0
        wait_until(lambda: len(fleet.running()) == 1, what="the other row runs")

        (disk / "ballast").unlink()
        wait_until(lambda: len(fleet.running()) == 2, within_s=40, what="both rows run")
        assert len(fleet.events("ProgramInstallFailed")) == 1
        fleet.assert_sound()
        unit.end()
