"""A row that names a package becomes a program: installed once on each unit, rolled when it changes."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.e2e.fleet import Fleet
from tests.support.registries import NpmRegistry
from tests.support.unit_process import UnitProcess
from tests.support.waiting import wait_until

pytestmark = pytest.mark.e2e

StartUnit = Callable[..., UnitProcess]

STAYS = "require('fs').writeFileSync('ran', process.argv.slice(2).join(' ')); setInterval(() => {}, 1 << 30);"


def publish(registry: NpmRegistry, name: str, version: str) -> None:
    registry.publish(name, version, {"main.js": STAYS}, main="main.js")


def versions(fleet: Fleet) -> list[str]:
    """Of the programs that run now, by the last start of each."""
    return sorted(
        row["data"]["package_version"]
        for row in fleet.events("ProcessStarted")
        if row["data"]["pid"] in {program.pid for program in fleet.running().values()}
    )


def test_a_package_is_installed_once_and_shared(
    database: str, start_unit: StartUnit, npm_registry: NpmRegistry
) -> None:
    publish(npm_registry, "@yuants/shared", "1.0.0")
    fleet = Fleet(database)
    start_unit(database, NODE_UNIT_NPM_REGISTRY=npm_registry.url, ENABLE_CUSTOM_COMMAND="false")
    fleet.wait_for_measured_units(1)
    fleet.execute(
        "insert into deployment (package_name, package_version, args)"
        " select '@yuants/shared', '1.0.0', '[\"a\", \"b c\"]' from generate_series(1, 5)"
    )
    wait_until(lambda: versions(fleet) == ["1.0.0"] * 5, within_s=40, what="five programs run")

    installed = fleet.events("ProgramInstalled")
    assert len(installed) == 5
    assert len({row["data"]["lock_digest"] for row in installed}) == 1
    assert all(row["data"]["integrity"].startswith("sha512-") for row in installed)
    for program in fleet.running().values():
        directory = program.cwd()
        assert directory.endswith(program.environ()["DEPLOYMENT_ID"])
        with open(f"{directory}/ran") as written:
            assert written.read() == "a b c"
    fleet.assert_sound()


def test_an_update_is_installed_before_the_program_stops(
    database: str, start_unit: StartUnit, npm_registry: NpmRegistry
) -> None:
    publish(npm_registry, "@yuants/rolled", "1.0.0")
    publish(npm_registry, "@yuants/rolled", "2.0.0")
    fleet = Fleet(database)
    start_unit(database, NODE_UNIT_NPM_REGISTRY=npm_registry.url)
    fleet.wait_for_measured_units(1)
    fleet.execute("insert into deployment (package_name, package_version) values ('@yuants/rolled', '1.0.0')")
    wait_until(lambda: versions(fleet) == ["1.0.0"], within_s=40)

    fleet.execute("update deployment set package_version = '3.0.0'")
    wait_until(lambda: bool(fleet.events("ProgramInstallFailed")), within_s=40)
    assert versions(fleet) == ["1.0.0"], "what cannot be installed replaces nothing"

    fleet.execute("update deployment set package_version = '2.0.0'")
    wait_until(lambda: versions(fleet) == ["2.0.0"], within_s=40)
    order = [row["type"] for row in fleet.events("ProgramInstalled", "ProcessExited", "ProcessStarted")]
    assert order[-3:] == ["ProgramInstalled", "ProcessExited", "ProcessStarted"]
    fleet.assert_sound()


def test_what_nothing_uses_any_more_is_removed(
    database: str, start_unit: StartUnit, npm_registry: NpmRegistry, tmp_path: Path
) -> None:
    publish(npm_registry, "@yuants/kept", "1.0.0")
    publish(npm_registry, "@yuants/removed", "1.0.0")
    fleet = Fleet(database)
    workspace = tmp_path / "workspace"
    start_unit(
        database,
        NODE_UNIT_NPM_REGISTRY=npm_registry.url,
        NODE_UNIT_WORKSPACE=str(workspace),
        NODE_UNIT_STORE_KEEP="2",
    )
    fleet.wait_for_measured_units(1)
    for package in ("@yuants/kept", "@yuants/removed"):
        fleet.execute("insert into deployment (package_name, package_version) values (%s, '1.0.0')", package)
    wait_until(lambda: versions(fleet) == ["1.0.0"] * 2, within_s=60)
    assert len(list((workspace / "store" / "npm").iterdir())) == 2

    fleet.execute("delete from deployment where package_name = '@yuants/removed'")
    wait_until(lambda: len(list((workspace / "store" / "npm").iterdir())) == 1, within_s=30)
    wait_until(lambda: len(list((workspace / "deployments").iterdir())) == 1, within_s=30)
    (kept,) = fleet.running().values()
    assert kept.cwd() == str(next((workspace / "deployments").iterdir()))
    fleet.assert_sound()
