"""The limits of a program: kept by the kernel where the unit may use the controllers, and otherwise said not to be."""

import os
from pathlib import Path

import pytest

from nodeunit.process.control_groups import ControlGroups
from nodeunit.process.group_limits import OWN_GROUP, GroupLimits, nice_of, set_limits
from tests.support.supervisor_daemon import Daemon, SupervisedUnit, is_alive, key, supervised_unit
from tests.support.waiting import wait_until

NO_CONTROLLERS = "the kernel keeps no limits here: cgroup v2 has no controllers, or this process may not use them"

EAT = """
import os, signal
if os.fork() == 0:
    os.setsid()
    eaten = os.urandom(60 * 1024 * 1024)
    signal.pause()
eaten = os.urandom(60 * 1024 * 1024)
signal.pause()
"""
FORK = """
import os, signal
for number in range(50):
    try:
        if os.fork() == 0:
            signal.pause()
    except BlockingIOError:
        print('refused after', number)
        break
signal.pause()
"""


def _kept(unit: SupervisedUnit) -> bool:
    return "the kernel keeps their limits of memory, processes, cpu" in unit.said()


@pytest.fixture
def limited(unit: SupervisedUnit, daemon: Daemon) -> Daemon:
    if not _kept(unit):
        pytest.skip(NO_CONTROLLERS)
    return daemon


def test_limits_that_the_kernel_does_not_keep_are_not_said_to_be_kept(tmp_path: Path) -> None:
    with supervised_unit(tmp_path, control_groups=False) as unit:
        daemon, _ = unit.next_daemon()
        started = daemon.start(["sleep", "60"], memory_limit_mb=100, process_limit=5, cpu_weight=50)
        assert started["kept"] == []
        daemon.leave_with(1)
        _, hello = unit.next_daemon()
        assert [program["kept"] for program in hello["programs"]] == [[]]


def test_a_tree_that_exceeds_its_memory_ends_as_a_whole_and_the_report_says_so(limited: Daemon) -> None:
    started = limited.start_python(EAT, memory_limit_mb=100)
    assert started["kept"] == ["memory"]

    exited = limited.expect("exited")
    assert exited.get("oom"), exited
    assert (exited["signal"], exited["cause"], exited["stopped"]) == (9, "exited", False)
    assert not is_alive(started["pid"])

    limited.start(["sh", "-c", "kill -9 $$"])
    assert "oom" not in limited.expect("exited"), "the group is new"


def test_the_kernel_refuses_a_process_too_many(unit: SupervisedUnit, limited: Daemon) -> None:
    started = limited.start_python(FORK, process_limit=10)
    assert started["kept"] == ["processes"]
    wait_until(lambda: unit.printed() == "refused after 9\n")
    limited.say("stop", key=key(), grace_s=5)
    limited.expect("exited")


def test_the_weight_is_that_of_the_group(limited: Daemon) -> None:
    started = limited.start(["sleep", "60"], cpu_weight=7)
    assert started["kept"] == ["cpu"]
    group = Path(f"/proc/{started['pid']}/cgroup").read_text().rpartition("::/")[2].strip()
    (weight,) = Path("/sys/fs/cgroup").rglob(f"{group}/cpu.weight")
    assert weight.read_text() == "7\n"


def test_a_supervisor_that_is_alone_in_its_group_moves_aside_to_get_the_controllers(tmp_path: Path) -> None:
    """As under systemd with `Delegate=yes`: a group with processes of its own may not have controllers for others."""
    try:
        probe = ControlGroups.create(f"LimitTest{os.getpid()}", within_s=5)
    except OSError as error:
        pytest.skip(f"no control groups here: {error}")
    kept = probe.kinds_kept()
    probe.remove()
    if not kept:
        pytest.skip(NO_CONTROLLERS)
    service = Path(str(probe)).parent / f"service-{os.getpid()}"
    service.mkdir()
    before = f"open('{service}/cgroup.procs', 'w').write('0')"
    try:
        with supervised_unit(tmp_path, before=before) as unit:
            daemon, _ = unit.next_daemon()
            assert _kept(unit)
            assert Path(f"/proc/{unit.pid}/cgroup").read_text().rstrip().endswith(f"{service.name}/{OWN_GROUP}")
            assert daemon.start(["sleep", "60"], process_limit=10)["kept"] == ["processes"]
            daemon.say("stop", key=key(), grace_s=5)
            daemon.expect("exited")
    finally:
        wait_until(lambda: ControlGroups(str(service)).is_populated() is False)
        ControlGroups(str(service)).remove()


def test_a_weight_without_a_group_is_a_nice_value(tmp_path: Path) -> None:
    with supervised_unit(tmp_path, control_groups=False) as unit:
        daemon, _ = unit.next_daemon()
        started = daemon.start(["sleep", "60"], cpu_weight=33)
        process = Path(f"/proc/{started['pid']}")
        assert (process / "stat").read_text().rpartition(") ")[2].split()[16] == "5"
        if (process / "autogroup").exists():
            assert (process / "autogroup").read_text().endswith(" nice 5\n")


def test_the_nice_value_of_a_weight() -> None:
    assert [nice_of(weight) for weight in (1, 33, 80, 100, 125, 10_000)] == [19, 5, 1, 0, -1, -20]


def test_a_limit_that_cannot_be_set_is_not_kept(tmp_path: Path) -> None:
    limits = GroupLimits(memory_mb=1, processes=1, cpu_weight=1)
    assert set_limits(str(tmp_path), limits) == []
    assert list(tmp_path.iterdir()) == [], "no file is made where a controller has none"
