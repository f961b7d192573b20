"""Programs that behave badly, on a real unit: each is stopped by disabling its row, leaves no process behind, and the
log says what happened. One unit runs them all, beside a program that behaves well."""

import shlex
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from tempfile import mkdtemp
from typing import Any
from uuid import UUID

import psutil
import pytest

from nodeunit.process.process_table import read_entry
from tests.e2e.fleet import Fleet
from tests.support import adversaries
from tests.support.databases import Databases
from tests.support.unit_process import UnitProcess, unit_process
from tests.support.waiting import wait_until

pytestmark = pytest.mark.e2e

GRACE_S = 2
_MIB = 1024 * 1024
LOG_MIB, LOG_FILES = 4, 2
MOST_ON_DISK = (LOG_FILES + 2) * LOG_MIB * _MIB + _MIB
"""The log, its older files, one that is being compressed, and what the others print."""
FLOOD_BYTES = 10 * MOST_ON_DISK
PROCESS_LIMIT = 50
MOST_GROWTH = 8 * _MIB


class Adversary:
    """A row that runs one of the programs, and the files that its processes leave."""

    def __init__(
        self,
        fleet: Fleet,
        directory: Path,
        name: str,
        *,
        memory_limit_mb: int | None = None,
        process_limit: int | None = None,
        startup_check: str = "",
    ) -> None:
        self._fleet = fleet
        self.witnesses = Path(mkdtemp(prefix=f"{name}-", dir=directory))
        command = shlex.join([sys.executable, "-I", "-S", adversaries.__file__, name, str(self.witnesses)])
        (row,) = fleet.query(
            "insert into deployment (package_name, package_version, command, memory_limit_mb, process_limit,"
            " startup_check, startup_timeout_s) values (%s, '1.0.0', %s, %s, %s, %s, 1) returning id",
            f"@yuants/{name.replace('_', '-')}", command, memory_limit_mb, process_limit, startup_check,
        )  # fmt: skip
        self.id: UUID = row["id"]

    def wait_until_up(self) -> None:
        wait_until((self.witnesses / adversaries.MARK).exists, within_s=20, what=f"{self.witnesses.name} is up")

    def processes(self) -> dict[int, int]:
        """Start time by pid of all that it has ever started."""
        return {int(path.name): int(path.read_text()) for path in self.witnesses.iterdir() if path.name.isdigit()}

    def living(self) -> list[int]:
        found = [(read_entry(pid), start_time) for pid, start_time in self.processes().items()]
        return [entry.pid for entry, start_time in found if entry and entry.alive and entry.start_time == start_time]

    def exits(self) -> list[dict[str, Any]]:
        """What the log says about its ends."""
        return self.said("ProcessExited")

    def said(self, kind: str) -> list[dict[str, Any]]:
        """The events of one type about it."""
        rows = self._fleet.query(
            "select data from event where type = %s and deployment_id = %s order by position", kind, self.id
        )
        return [row["data"] for row in rows]

    def wait_for_exits(self, count: int) -> list[dict[str, Any]]:
        wait_until(lambda: len(self.exits()) >= count, within_s=20, what=f"{count} exits of {self.witnesses.name}")
        return self.exits()

    def disable(self) -> None:
        self._fleet.execute("update deployment set enabled = false where id = %s", self.id)

    def stop(self) -> dict[str, Any]:
        """Disables the row and waits for the end; returns what the log says about it."""
        before = len(self.exits())
        assert self.living()
        self.disable()
        last = self.wait_for_exits(before + 1)[-1]
        assert self.living() == []
        return last


@pytest.fixture(scope="module")
def fleet(timescale_databases: Databases) -> Iterator[Fleet]:
    with timescale_databases.fresh() as conninfo:
        yield Fleet(conninfo)


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("adversaries")


@pytest.fixture(scope="module")
def unit(fleet: Fleet, directory: Path) -> Iterator[UnitProcess]:
    settings: dict[str, Any] = {
        "NODE_UNIT_STOP_GRACE": str(GRACE_S),
        "NODE_UNIT_LOG_MAX_SIZE": f"{LOG_MIB}Mi",
        "NODE_UNIT_LOG_MAX_FILES": str(LOG_FILES),
    }
    with unit_process(fleet.conninfo, directory, **settings) as unit:
        fleet.wait_for_measured_units(1)
        yield unit


@pytest.fixture(scope="module", autouse=True)
def neighbour(fleet: Fleet, unit: UnitProcess, directory: Path) -> Iterator[Adversary]:
    """The program that behaves well. At the end it has run through all of this, and so has the unit."""
    well_behaved = Adversary(fleet, directory, "counts")
    wait_until(well_behaved.processes, within_s=20)
    yield well_behaved
    assert well_behaved.exits() == []
    assert len(well_behaved.living()) == 1
    assert fleet.events("UnitLost", "UnitSupervisorSilent", "UnitExhausted", "ProcessNotEnded") == []
    fleet.assert_sound()


@pytest.fixture
def run(fleet: Fleet, directory: Path, request: pytest.FixtureRequest) -> Any:
    def run(name: str, **columns: Any) -> Adversary:
        adversary = Adversary(fleet, directory, name, **columns)
        request.addfinalizer(adversary.disable)
        return adversary

    return run


@pytest.mark.parametrize(
    ("name", "processes"),
    [("ignores_term", 1), ("leaves_its_group", 2), ("hides", 2), ("closes_its_output", 1), ("prints_no_text", 1)],
)
def test_it_stays_until_its_row_is_disabled(run: Any, name: str, processes: int) -> None:
    adversary = run(name)
    adversary.wait_until_up()
    assert len(adversary.living()) == processes

    ended = adversary.stop()
    assert ended["reason"] == "stopped"
    assert ended["signal"] == (9 if name == "ignores_term" else 15)
    if name == "ignores_term":
        assert [one["reason"] for one in adversary.said("ProcessStopping")] == ["stopped"]
    assert len(adversary.processes()) == processes, "it was not started again"


@pytest.mark.parametrize(
    ("name", "end"),
    [("exits_at_once", (0, None)), ("double_fork", (0, None)), ("crashes_at_once", (None, 11))],
)
def test_it_ends_at_once_and_is_started_again_until_its_row_is_disabled(
    fleet: Fleet, run: Any, name: str, end: tuple[int | None, int | None]
) -> None:
    adversary = run(name)
    for exited in adversary.wait_for_exits(2):
        assert (exited["reason"], exited["exit_code"], exited["signal"]) == ("exited", *end)

    adversary.disable()
    wait_until(lambda: not adversary.living(), within_s=10)
    starts = fleet.query("select from event where type = 'ProcessStarted' and deployment_id = %s", adversary.id)
    wait_until(lambda: len(adversary.exits()) == len(starts), what="every start has its end")


def test_what_never_becomes_ready_is_started_again_as_after_a_failure(run: Any) -> None:
    never_ready = run("closes_its_output", startup_check="tcp:1")
    assert {exited["reason"] for exited in never_ready.wait_for_exits(2)} == {"startup_timeout"}
    never_ready.disable()
    wait_until(lambda: not never_ready.living(), within_s=10)


def test_a_script_that_was_saved_on_windows_says_so(fleet: Fleet, directory: Path) -> None:
    script = directory / "script"
    script.write_bytes(b"#!/bin/sh\r\nsleep 60\r\n")
    script.chmod(0o755)
    (row,) = fleet.query(
        "insert into deployment (package_name, command) values ('@yuants/script', %s) returning id", str(script)
    )
    try:
        failed = "select data from event where type = 'ProcessExited' and deployment_id = %s"
        (first, *_) = wait_until(lambda: fleet.query(failed, row["id"]), within_s=20)
        assert first["data"]["reason"] == "spawn_failed"
        assert first["data"]["detail"].startswith(f"cannot run {script}: the first line of {script} ends with CR LF")
    finally:
        fleet.execute("update deployment set enabled = false where id = %s", row["id"])


def test_a_flood_of_output_fills_neither_disk_nor_memory_and_holds_up_nobody(
    unit: UnitProcess, run: Any, neighbour: Adversary, directory: Path
) -> None:
    flood = run("floods")
    written = flood.witnesses / "written"
    wait_until(written.exists, within_s=20)
    before = _resident(unit)
    on_disk = []

    def flooded() -> bool:
        on_disk.append(_size_of(directory / "logs"))
        return int(written.read_text()) > FLOOD_BYTES

    wait_until(flooded, within_s=40, every_s=0.05, what="enough was written")
    after = _resident(unit)
    counted = (neighbour.witnesses / "counted").read_text()
    assert max(on_disk) < MOST_ON_DISK
    grown = [after[pid] - resident for pid, resident in before.items() if pid in after]
    assert len(grown) >= len(("supervisor", "guard", "log writer", "daemon"))
    assert max(grown) < MOST_GROWTH
    log = next((directory / "logs").rglob(f"{neighbour.id}.log"))
    wait_until(lambda: counted in log.read_text().split(), what="what the neighbour said meanwhile is in its log")
    assert flood.stop()["reason"] == "stopped"


def test_a_tree_with_too_much_memory_ends_as_a_whole_each_time(run: Any) -> None:
    limit_mb = adversaries.EATEN_BYTES // _MIB // 2 + 30
    eater = run("eats_memory", memory_limit_mb=limit_mb)
    exits = eater.wait_for_exits(2)

    assert {exited["reason"] for exited in exits} == {"out_of_memory"}
    assert {exited["signal"] for exited in exits} <= {9, 15}
    eater.disable()
    wait_until(lambda: not eater.living(), within_s=10)


def test_a_tree_with_too_many_processes_is_refused_more_or_ends_as_a_whole(unit: UnitProcess, run: Any) -> None:
    """Only the kernel can refuse; without it the unit ends what it finds to have too many."""
    forking = run("forks_without_end", process_limit=PROCESS_LIMIT)
    if "the kernel keeps their limits of" in unit.log:
        forking.wait_until_up()
        assert len(forking.living()) == PROCESS_LIMIT
        assert forking.stop()["reason"] == "stopped"
    else:
        first = forking.wait_for_exits(1)[0]
        assert first["reason"] == "too_many_processes"
        assert first["detail"].endswith(f"processes and threads, and its limit is {PROCESS_LIMIT}")
        forking.disable()
        wait_until(lambda: not forking.living(), within_s=10)


def _resident(unit: UnitProcess) -> dict[int, int]:
    """Bytes of supervisor, guard, log writer and daemon, by pid. A child that compresses a log comes and goes."""
    found = {}
    for process in (psutil.Process(unit.pid), *unit.descendants()):
        with suppress(psutil.NoSuchProcess):
            if process.name().startswith("nodeunit-") or "nodeunit.daemon" in process.cmdline():
                found[process.pid] = process.memory_info().rss
    return found


def _size_of(folder: Path) -> int:
    total = 0
    for path in folder.rglob("*"):
        with suppress(FileNotFoundError):
            total += path.stat().st_size
    return total
