"""The life of a program that comes from a registry: deployed by one INSERT, killed, upgraded, rolled back, ended."""

import os
import signal
from collections.abc import Callable
from pathlib import Path
from uuid import UUID

import pytest

from tests.e2e.fleet import Fleet
from tests.e2e.packaged_server import Programs, Source
from tests.support.unit_process import UnitProcess
from tests.support.waiting import wait_until

# Installers are slow on a busy machine, and some of these tests wait for several.
pytestmark = [pytest.mark.e2e, pytest.mark.timeout(240)]

StartUnit = Callable[..., UnitProcess]


def insert(fleet: Fleet, source: Source, name: str, wanted: str) -> UUID:
    (row,) = fleet.query(
        "insert into deployment (package_name, package_version, runtime) values (%s, %s, %s) returning id",
        name, wanted, source.runtime,
    )  # fmt: skip
    deployment: UUID = row["id"]
    return deployment


def store(directory: Path, source: Source, unit: str = "unit-1") -> dict[str, int]:
    """Name and inode of each installation of a unit."""
    there = (directory / "workspaces" / unit / "store" / source.runtime).iterdir()
    return {path.name: path.stat().st_ino for path in there}


def test_a_program_lives_from_its_insert_to_its_delete(
    database: str, start_unit: StartUnit, tmp_path: Path, source: Source
) -> None:
    fleet, programs = Fleet(database), Programs(Fleet(database), tmp_path / "logs")
    for version in ("1.0.0", "1.1.0"):
        source.publish("a-life", version)
    start_unit(database, **source.settings)

    row = insert(fleet, source, "a-life", "1.0.0")
    first = programs.wait_for(row, lambda answer: answer.version == "1.0.0")

    os.kill(first.pid, signal.SIGKILL)
    programs.wait_for(row, lambda answer: answer.pid != first.pid)

    with programs.gaps(row) as gaps:
        fleet.execute("update deployment set package_version = '1.1.0' where id = %s", row)
        programs.wait_for(row, lambda answer: answer.version == "1.1.0")
    print(f"{source.runtime}: out of service for at most {max(gaps):.0f} ms during the upgrade")
    # The new version was there before the old program was asked to stop.
    order = [event["type"] for event in fleet.events("ProgramInstalled", "ProcessExited")]
    assert order == ["ProgramInstalled", "ProcessExited", "ProgramInstalled", "ProcessExited"]

    installed = store(tmp_path, source)
    fleet.execute("update deployment set package_version = '1.0.0' where id = %s", row)
    programs.wait_for(row, lambda answer: answer.version == "1.0.0")
    assert store(tmp_path, source) == installed, "the version was still in the store"

    fleet.execute("update deployment set enabled = false where id = %s", row)
    wait_until(lambda: not fleet.running(), what="the disabled program has ended")
    fleet.execute("update deployment set enabled = true where id = %s", row)
    programs.wait_for(row, lambda _: True)

    fleet.execute("delete from deployment where id = %s", row)
    wait_until(lambda: not fleet.running(), what="the deleted program has ended")
    fleet.assert_sound()


def test_rows_of_one_package_share_its_installation(
    database: str, start_unit: StartUnit, tmp_path: Path, source: Source
) -> None:
    fleet, programs = Fleet(database), Programs(Fleet(database), tmp_path / "logs")
    source.publish("shared", "1.0.0")
    start_unit(database, **source.settings)

    rows = [insert(fleet, source, "shared", "1.0.0") for _ in range(3)]

    wait_until(lambda: len(programs.answers()) == len(rows), within_s=60, what="all answer")
    assert len(store(tmp_path, source)) == 1
    fleet.assert_sound()


def test_one_package_that_is_not_there_harms_no_other_row(
    database: str, start_unit: StartUnit, tmp_path: Path, source: Source
) -> None:
    fleet, programs = Fleet(database), Programs(Fleet(database), tmp_path / "logs")
    source.publish("present", "1.0.0")
    start_unit(database, **source.settings)

    absent = insert(fleet, source, "absent", "1.0.0")
    other = insert(fleet, source, "present", "9.9.9")
    present = insert(fleet, source, "present", "1.0.0")

    programs.wait_for(present, lambda answer: answer.version == "1.0.0")
    wait_until(
        lambda: {event["deployment_id"] for event in fleet.events("ProgramInstallFailed")} == {absent, other},
        within_s=60,
        what="both failures are said",
    )
    reasons = {event["deployment_id"]: event["data"]["reason"] for event in fleet.events("ProgramInstallFailed")}
    assert reasons == {absent: "no_such_package", other: "no_such_version"}
    fleet.assert_sound()
