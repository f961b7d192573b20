"""A stop asks every process of a program's tree, once, with the program's own signal, and says why it was asked."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.supervisor_daemon import Daemon, SupervisedUnit, is_alive, key, supervised_unit
from tests.support.waiting import wait_until

# Each process counts in a file of its own how often it is asked, and ends when somebody writes to the pipe `go`.
COUNT = """
import os, signal, sys
directory, signum = sys.argv[1], int(sys.argv[2])
def tell(name, text):
    path = os.path.join(directory, name)
    open(path + '.new', 'w').write(str(text))
    os.rename(path + '.new', path)
def run(name):
    asked, (heard, told) = [], os.pipe()
    signal.signal(signum, lambda *_: (asked.append(1), tell(name + '.asked', len(asked)), os.write(told, b'1')))
    tell(name + '.up', os.getpid())
    os.read(heard, 1)
    os.open(os.path.join(directory, 'go'), os.O_RDONLY)
    os._exit(0)
"""
FAMILY = (
    COUNT
    + """
if os.fork() == 0:
    run('child')
if os.fork() == 0:
    os.setsid()
    run('own-session')
if os.fork() == 0:
    os.setpgid(0, 0)
    run('own-group')
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        run('daemon')
    os._exit(0)
run('main')
"""
)
MEMBERS = ("main", "child", "own-session", "own-group", "daemon")
NEVER_S = 300
"""A grace period that no test waits for: who ends has been asked."""


@pytest.fixture(params=[True, False], ids=["groups", "no groups"])
def unit(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[SupervisedUnit]:
    """With control groups, where the machine permits them, and without."""
    with supervised_unit(tmp_path, control_groups=request.param) as unit:
        yield unit


@pytest.fixture
def go(tmp_path: Path) -> Iterator[Callable[[], None]]:
    """Lets those end that have been asked."""
    os.mkfifo(tmp_path / "go")
    opened: list[int] = []
    yield lambda: opened.append(os.open(tmp_path / "go", os.O_RDWR))
    for descriptor in opened:
        os.close(descriptor)


def _start_family(daemon: Daemon, directory: Path, signum: int = 15, **fields: Any) -> dict[str, int]:
    """Starts it; returns the pid of each member, when all are up."""
    daemon.spawn(["python3", "-I", "-S", "-c", FAMILY, str(directory), str(signum)], **fields)
    wait_until(lambda: all((directory / f"{name}.up").exists() for name in MEMBERS), what="all are up")
    return {name: int((directory / f"{name}.up").read_text()) for name in MEMBERS}


def _asked(directory: Path) -> dict[str, str]:
    return {path.stem: path.read_text() for path in directory.glob("*.asked")}


def test_every_process_of_the_tree_is_asked_once_in_whatever_session_it_is(
    daemon: Daemon, tmp_path: Path, go: Callable[[], None]
) -> None:
    pids = _start_family(daemon, tmp_path)
    daemon.say("stop", key=key(), grace_s=NEVER_S)
    daemon.say("stop", key=key(), grace_s=NEVER_S - 1)
    wait_until(lambda: len(_asked(tmp_path)) == len(MEMBERS), what="all are asked")
    go()

    exited = daemon.expect("exited")
    assert (exited["exit_code"], exited["cause"]) == (0, "stop")
    assert "because" not in exited
    assert _asked(tmp_path) == dict.fromkeys(MEMBERS, "1")
    assert not any(map(is_alive, pids.values()))


def test_the_signal_is_the_programs_own(daemon: Daemon, tmp_path: Path, go: Callable[[], None]) -> None:
    _start_family(daemon, tmp_path, 2, stop_signal="INT")
    go()
    daemon.say("stop", key=key(), grace_s=NEVER_S)

    assert daemon.expect("exited")["exit_code"] == 0
    assert _asked(tmp_path) == dict.fromkeys(MEMBERS, "1")


def test_the_lease_asks_with_that_signal_too(daemon: Daemon, tmp_path: Path, go: Callable[[], None]) -> None:
    daemon.grant_lease(NEVER_S)
    _start_family(daemon, tmp_path, 10, stop_signal="USR1", on_disconnect="stop", grace_s=NEVER_S)
    go()
    daemon.grant_lease(4)

    exited = daemon.expect("exited")
    assert (exited["exit_code"], exited["cause"]) == (0, "lease")


@pytest.mark.usefixtures("go")
def test_what_was_not_asked_in_time_is_killed_with_the_rest(daemon: Daemon, tmp_path: Path) -> None:
    pids = _start_family(daemon, tmp_path)
    daemon.say("stop", key=key(), grace_s=0.2)

    assert daemon.expect("exited")["signal"] == 9
    assert not any(map(is_alive, pids.values()))


def test_the_reason_of_the_first_stop_is_returned(daemon: Daemon) -> None:
    daemon.start(["sleep", "60"])
    daemon.say("stop", key=key(), grace_s=5, because="unhealthy", detail="no answer")
    daemon.say("stop", key=key(), grace_s=5, because="restart")

    exited = daemon.expect("exited")
    assert (exited["stopped"], exited["cause"]) == (True, "stop")
    assert (exited["because"], exited["detail"]) == ("unhealthy", "no answer")


def test_what_has_cleared_its_environment_and_lost_its_parents_is_asked(
    daemon: Daemon, tmp_path: Path, go: Callable[[], None]
) -> None:
    """Known by its control group, or by the output that it shares with its program."""
    hide = '(env -i setsid python3 -I -S -c "$0" "$1" 15 &); exec sleep 60'
    daemon.spawn(["sh", "-c", hide, COUNT + "run('hidden')", str(tmp_path)])
    wait_until((tmp_path / "hidden.up").exists)
    pid = int((tmp_path / "hidden.up").read_text())
    go()
    daemon.say("stop", key=key(), grace_s=NEVER_S)

    daemon.expect("exited")
    assert _asked(tmp_path) == {"hidden": "1"}
    assert not is_alive(pid)
