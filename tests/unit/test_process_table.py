"""A process is its pid and its start time; a signal never reaches a namesake."""

import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from nodeunit.clock import boottime
from nodeunit.process.process_table import Mark, ProcessEntry, ProcessTable, read_entry, read_mark, signal_exactly
from tests.support.waiting import wait_until

_LAST_PID = Path("/proc/sys/kernel/ns_last_pid")


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    environment = {"PATH": os.environ["PATH"], "NODE_UNIT_ADDRESS": "a", "DEPLOYMENT_ID": "d"}
    with subprocess.Popen(["sleep", "60"], env=environment) as process:
        yield process
        process.kill()


def test_own_entry() -> None:
    entry = read_entry(os.getpid())

    assert entry is not None
    assert (entry.parent, entry.group, entry.session) == (os.getppid(), os.getpgrp(), os.getsid(0))
    assert entry.alive


def test_a_name_with_parentheses_and_spaces_does_not_shift_the_fields(tmp_path: Path) -> None:
    program = tmp_path / "a) R 1 (b"
    program.symlink_to("/bin/sleep")
    with subprocess.Popen([str(program), "60"]) as process:
        wait_until(lambda: Path(f"/proc/{process.pid}/comm").read_text().startswith("a) R"))
        entry = read_entry(process.pid)
        process.kill()

    assert entry is not None
    assert entry.parent == os.getpid()


def test_the_right_identity_is_signalled(sleeper: subprocess.Popen[bytes]) -> None:
    entry = read_entry(sleeper.pid)
    assert entry is not None

    assert signal_exactly(entry.pid, entry.start_time, signal.SIGKILL)
    assert sleeper.wait(5) == -signal.SIGKILL


def test_another_start_time_is_another_process(sleeper: subprocess.Popen[bytes]) -> None:
    entry = read_entry(sleeper.pid)
    assert entry is not None

    assert not signal_exactly(entry.pid, entry.start_time - 1, signal.SIGKILL)
    assert sleeper.poll() is None


def test_a_recycled_pid_is_not_signalled(sleeper: subprocess.Popen[bytes]) -> None:
    before = read_entry(sleeper.pid)
    assert before is not None
    # A start time is a clock tick: within the same one even this test, which forces the pid, could not tell them apart.
    wait_until(lambda: boottime() * os.sysconf("SC_CLK_TCK") > before.start_time + 1)
    sleeper.kill()
    sleeper.wait()

    namesake = _become(before.pid)
    try:
        after = read_entry(namesake.pid)
        assert after is not None
        assert after.start_time != before.start_time
        assert not signal_exactly(*before.identity, signal.SIGKILL)
        assert ProcessTable.read().find(before.identity) is None
        assert namesake.poll() is None
    finally:
        namesake.kill()
        namesake.wait()


def _become(pid: int) -> subprocess.Popen[bytes]:
    """Start processes until one has this pid."""
    for _ in range(100):
        try:
            _LAST_PID.write_text(str(pid - 1))
        except PermissionError:
            pytest.skip("only root can have the kernel give a pid away again")
        process = subprocess.Popen(["sleep", "60"])
        if process.pid == pid:
            return process
        process.kill()
        process.wait()
    raise AssertionError(f"pid {pid} could not be had again")


def test_a_pid_without_process_is_not_signalled(sleeper: subprocess.Popen[bytes]) -> None:
    entry = read_entry(sleeper.pid)
    assert entry is not None
    sleeper.kill()
    sleeper.wait()

    assert read_entry(entry.pid) is None
    assert not signal_exactly(*entry.identity, signal.SIGKILL)


def test_mark(sleeper: subprocess.Popen[bytes]) -> None:
    wait_until(lambda: read_mark(sleeper.pid) == Mark("a", "d"))

    assert read_mark(os.getpid()) is None
    assert read_mark(1 << 22) is None


def test_a_zombie_is_dead_unless_other_threads_run_on() -> None:
    def entry(state: str, threads: int) -> ProcessEntry:
        return ProcessEntry(1, 0, 1, 1, 1, state, threads)

    assert not entry("Z", 1).alive
    assert entry("Z", 2).alive
    assert entry("T", 1).alive


def test_a_tree_is_followed_down_and_up() -> None:
    pids = [(1, 0), (2, 1), (3, 2), (4, 2), (5, 1)]
    table = ProcessTable(ProcessEntry(pid, parent, pid, pid, 7, "S", 1) for pid, parent in pids)

    assert sorted(table.with_descendants([table.entries[2]])) == [2, 3, 4]
    assert [entry.pid for entry in table.ancestors(table.entries[4])] == [2, 1]
    assert table.find((3, 7)) is not None
    assert table.find((3, 8)) is None
