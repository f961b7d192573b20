"""What was installed first is what every unit installs later, whatever the registry serves meanwhile."""

import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.e2e.fleet import Fleet
from tests.e2e.packaged_server import Programs, Source
from tests.e2e.test_packages import insert
from tests.support.unit_process import UnitProcess
from tests.support.waiting import wait_until

# Installers are slow on a busy machine, and some of these tests wait for several.
pytestmark = [pytest.mark.e2e, pytest.mark.timeout(240)]

StartUnit = Callable[..., UnitProcess]

ANY = {"npm": "*", "python": ""}
RANGE = {"npm": "^1.0.0", "python": "~=1.0"}


def test_another_unit_takes_over_what_was_resolved_and_locked(
    database: str, start_unit: StartUnit, tmp_path: Path, source: Source
) -> None:
    fleet, programs = Fleet(database), Programs(Fleet(database), tmp_path / "logs")
    source.publish_library("a-library", "1.0.0")
    source.publish("locked", "1.0.0", below={"a-library": ANY[source.runtime]})
    first = start_unit(database, name="first", **source.settings)
    row = insert(fleet, source, "locked", RANGE[source.runtime])
    answer = programs.wait_for(row, lambda _: True)
    assert (answer.version, answer.below) == ("1.0.0", ["1.0.0"])

    source.publish_library("a-library", "1.5.0")
    source.publish("locked", "1.5.0", below={"a-library": ANY[source.runtime]})
    start_unit(database, name="second", **source.settings)
    fleet.wait_for_measured_units(2)
    os.kill(first.pid, signal.SIGKILL)

    taken_over = programs.wait_for(row, lambda now: now.claim > answer.claim)
    assert (taken_over.version, taken_over.below) == ("1.0.0", ["1.0.0"])

    # A restart that was asked for resolves the range anew.
    fleet.execute("update deployment set updated_at = now() where id = %s", row)
    renewed = programs.wait_for(row, lambda now: now.version != "1.0.0")
    assert (renewed.version, renewed.below) == ("1.5.0", ["1.5.0"])
    fleet.assert_sound()


def test_other_bytes_for_a_version_are_refused_by_the_next_unit(
    database: str, start_unit: StartUnit, tmp_path: Path, source: Source
) -> None:
    fleet, programs = Fleet(database), Programs(Fleet(database), tmp_path / "logs")
    source.publish("exchanged", "1.0.0")
    first = start_unit(database, name="first", **source.settings)
    row = insert(fleet, source, "exchanged", "1.0.0")
    programs.wait_for(row, lambda _: True)

    source.replace("exchanged", "1.0.0")
    start_unit(database, name="second", **source.settings)
    fleet.wait_for_measured_units(2)
    os.kill(first.pid, signal.SIGKILL)

    (failed,) = wait_until(
        lambda: fleet.events("ProgramInstallFailed"), within_s=40, what="the second unit refuses the bytes"
    )
    assert failed["data"]["reason"] == "wrong_bytes"
    assert failed["data"]["retry_s"] is None
    assert len(fleet.events("ProcessStarted")) == 1
