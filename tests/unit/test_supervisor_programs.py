"""Programs under a real supervisor: how they start, what they find, how they and their trees end."""

import json
import os
import resource
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from nodeunit.supervisor.shutdown import EXIT_LEFT_BEHIND
from tests.support.supervisor_daemon import (
    ADDRESS,
    Daemon,
    SupervisedUnit,
    boottime,
    environment_of,
    is_alive,
    key,
    supervised_unit,
)
from tests.support.waiting import wait_until

FOR_EVER = "import signal\nsignal.pause()"
DEAF = "import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
# Leaves session, process group and parent, as a daemon of the old school does, and writes its pid into the file.
DAEMONIZE = """
import os, signal, sys
def daemonize(path):
    known, tell = os.pipe()
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            open(path + '.new', 'w').write(str(os.getpid()))
            os.rename(path + '.new', path)
            os.write(tell, b'.')
            while True: signal.pause()
        os._exit(0)
    os.wait()
    os.read(known, 1)
"""


@pytest.fixture(params=[True, False], ids=["groups", "no groups"])
def unit(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[SupervisedUnit]:
    """With control groups, where the machine permits them, and without."""
    with supervised_unit(tmp_path, control_groups=request.param) as unit:
        yield unit


def _pid_in(path: Path) -> int:
    wait_until(path.exists)
    return int(path.read_text())


def test_exit_code(daemon: Daemon) -> None:
    started = daemon.start_python("raise SystemExit(7)")
    exited = daemon.expect("exited")

    assert (exited["exit_code"], exited["signal"]) == (7, None)
    assert (exited["stopped"], exited["cause"]) == (False, "exited")
    assert (exited["pid"], exited["start_time"]) == (started["pid"], started["start_time"])
    assert exited["meta"] == {"revision": 1}
    assert 0 <= exited["ran_s"] < 5


def test_death_by_a_signal(daemon: Daemon) -> None:
    started = daemon.start_python(FOR_EVER)
    os.kill(started["pid"], signal.SIGUSR1)

    exited = daemon.expect("exited")
    assert (exited["exit_code"], exited["signal"], exited["stopped"]) == (None, signal.SIGUSR1, False)


@pytest.mark.parametrize(
    ("fields", "detail"),
    [
        ({"argv": ["no-such-program"]}, "cannot run no-such-program: no directory of PATH has a program of this name"),
        ({"argv": ["/etc"]}, "cannot run /etc: it is a directory"),
        ({"argv": ["true"], "cwd": "/nowhere"}, "cannot enter /nowhere: No such file or directory"),
        ({"argv": ["true"], "cwd": "/etc/passwd"}, "cannot enter /etc/passwd: Not a directory"),
        ({"argv": ["true"], "cwd": "down"}, "cwd is not an absolute path"),
        ({"argv": ["true"], "env": {}}, "mark"),
        ({"argv": ["true\0"]}, "NUL"),
    ],
)
def test_what_cannot_be_started_says_why(daemon: Daemon, fields: dict[str, object], detail: str) -> None:
    daemon.say("spawn", key=key(), **({"env": _marked(), "on_disconnect": "keep", "grace_s": 1} | fields))

    report = daemon.expect("spawn_failed", key=key())
    assert detail in report["detail"]
    assert report.get("because", "") == ("no_such_command" if "no directory of PATH" in detail else "")
    daemon.start(["true"])  # the key is free again


def _marked(**more: str) -> dict[str, str]:
    return {"PATH": os.environ["PATH"], "NODE_UNIT_ADDRESS": ADDRESS, "DEPLOYMENT_ID": key(), **more}


def test_a_key_runs_once(daemon: Daemon) -> None:
    daemon.start_python(FOR_EVER)
    daemon.spawn(["true"])

    assert daemon.expect("spawn_failed")["detail"] == "already running"


def test_what_a_program_finds(unit: SupervisedUnit, daemon: Daemon, tmp_path: Path) -> None:
    look = """
import json, os, signal
blocked = signal.pthread_sigmask(signal.SIG_BLOCK, [])
status = dict(line.split(':\\t', 1) for line in open('/proc/self/status') if ':\\t' in line)
print(json.dumps({
    'descriptors': {fd: os.readlink('/proc/self/fd/' + fd) for fd in ('0', '1', '2')},
    'more': [fd for fd in os.listdir('/proc/self/fd') if int(fd) > 2 and os.path.exists('/proc/self/fd/' + fd)],
    'leader': os.getsid(0) == os.getpgrp() == os.getpid(),
    'parent': os.getppid(),
    'blocked': status['SigBlk'].strip(), 'cwd': os.getcwd(), 'limit': __import__('resource').getrlimit(7)[0],
    'default': [signal.getsignal(s) == signal.SIG_DFL for s in (signal.SIGTERM, signal.SIGCHLD, signal.SIGHUP)],
}))
"""
    environment = _marked(ONE="1")
    directory = tmp_path / "deployments" / "one"
    started = daemon.start_python(look + FOR_EVER, env=environment, cwd=str(directory), make_cwd=True)
    wait_until(lambda: unit.printed().endswith("\n"))
    found = json.loads(unit.printed())

    assert environment_of(started["pid"]) == environment
    assert found["descriptors"]["0"] == "/dev/null"
    assert found["descriptors"]["1"] == found["descriptors"]["2"]
    assert found["descriptors"]["1"].startswith("pipe:")
    assert found["more"] == []
    assert found["leader"]
    assert found["parent"] == unit.pid
    assert found["blocked"] == "0" * 16
    assert found["cwd"] == str(directory)
    assert directory.stat().st_mode & 0o777 == 0o700
    assert found["default"] == [True, True, True]
    assert found["limit"] == _own_descriptor_limit()


def _own_descriptor_limit() -> int:
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]


def test_stop_lets_a_program_finish(unit: SupervisedUnit, daemon: Daemon) -> None:
    finish = "import signal, sys\nsignal.signal(15, lambda *_: (print('finishing', flush=True), sys.exit(3)))\n"
    daemon.start_python(finish + "print('up', flush=True)\nwhile True: signal.pause()")
    wait_until(lambda: "up" in unit.printed())
    daemon.say("stop", key=key(), grace_s=10)

    exited = daemon.expect("exited")
    assert (exited["exit_code"], exited["stopped"], exited["cause"]) == (3, True, "stop")
    assert exited["ran_s"] < 5
    wait_until(lambda: unit.printed() == "up\nfinishing\n")


def test_stop_ends_a_deaf_tree_that_left_its_session(daemon: Daemon, tmp_path: Path) -> None:
    orphan_file = tmp_path / "orphan"
    code = f"{DAEMONIZE}\n{DEAF}\ndaemonize({str(orphan_file)!r})\nwhile True: signal.pause()"
    started = daemon.start_python(code)
    orphan = _pid_in(orphan_file)

    probed_at = boottime()
    daemon.say("stop", key=key(), grace_s=0.4)
    exited = daemon.expect("exited")

    assert exited["signal"] == signal.SIGKILL
    assert 0.4 <= boottime() - probed_at < 3
    assert not is_alive(orphan)
    assert not is_alive(started["pid"])


def test_what_a_program_leaves_behind_is_ended_before_its_exit_is_told(daemon: Daemon, tmp_path: Path) -> None:
    orphan_file = tmp_path / "orphan"
    daemon.start_python(f"{DAEMONIZE}\n{DEAF}\ndaemonize({str(orphan_file)!r})\nsys.exit(0)")

    exited = daemon.expect("exited")
    assert (exited["exit_code"], exited["stopped"]) == (0, False)
    assert not is_alive(_pid_in(orphan_file))


def test_a_child_that_outlives_a_stopped_program_has_the_rest_of_the_grace_period(
    unit: SupervisedUnit, daemon: Daemon
) -> None:
    code = """
import os, select, signal, sys
if os.fork() == 0:
    def finish(*_):
        select.select([parent], [], [])  # readable once it has ended
        print('child finished', flush=True)
        os._exit(0)
    parent = os.pidfd_open(os.getppid())
    signal.signal(15, finish)
    print('up', flush=True)
while True: signal.pause()
"""
    daemon.start_python(code)
    wait_until(lambda: "up" in unit.printed())
    daemon.say("stop", key=key(), grace_s=10)

    assert daemon.expect("exited")["signal"] == signal.SIGTERM
    wait_until(lambda: unit.printed() == "up\nchild finished\n")


def test_a_second_stop_shortens_the_grace_period(unit: SupervisedUnit, daemon: Daemon) -> None:
    daemon.start_python(DEAF + "print('up', flush=True)\nwhile True: signal.pause()")
    wait_until(lambda: "up" in unit.printed())
    daemon.say("stop", key=key(), grace_s=60)
    daemon.say("stop", key=key(), grace_s=90)
    daemon.say("stop", key=key(), grace_s=0)

    assert daemon.expect("exited")["signal"] == signal.SIGKILL


def test_a_frozen_program_can_be_stopped(unit: SupervisedUnit, daemon: Daemon) -> None:
    finish = "import signal, sys\nsignal.signal(15, lambda *_: sys.exit(3))\nprint('up')\n"
    started = daemon.start_python(finish + "while True: signal.pause()")
    wait_until(lambda: unit.printed() == "up\n")
    os.kill(started["pid"], signal.SIGSTOP)
    daemon.say("stop", key=key(), grace_s=0.1)

    assert daemon.expect("exited")["signal"] == signal.SIGKILL


def test_a_stop_for_what_does_not_run_is_not_answered(daemon: Daemon) -> None:
    daemon.say("stop", key=key(9), grace_s=1)
    daemon.start(["true"])

    assert daemon.expect("exited")["key"] == key()
    assert daemon.heard == []


def test_many_at_once(unit: SupervisedUnit, daemon: Daemon) -> None:
    numbers = range(1, 61)
    for number in numbers:
        daemon.spawn(["sh", "-c", f"echo {number}; exit {number}"], number)

    for number in numbers:
        assert daemon.expect("exited", key=key(number))["exit_code"] == number
    wait_until(lambda: [unit.printed(number) for number in numbers] == [f"{number}\n" for number in numbers])


def test_orphans_of_programs_are_reaped(unit: SupervisedUnit, daemon: Daemon) -> None:
    daemon.start(["sh", "-c", "for i in 1 2 3; do (sleep 0.05 &) ; done; exec sleep 60"])
    children = Path(f"/proc/{unit.pid}/task/{unit.pid}/children")  # zombies included
    wait_until(lambda: len(children.read_text().split()) > 4)
    wait_until(lambda: len(children.read_text().split()) == 4, what="guard, log writer, daemon and one program")


def test_programs_die_with_a_killed_supervisor_and_so_does_what_they_started(
    unit: SupervisedUnit, daemon: Daemon, tmp_path: Path
) -> None:
    orphan_file, child_file = tmp_path / "orphan", tmp_path / "child"
    child = f"if os.fork() == 0:\n    open({str(child_file)!r}, 'w').write(str(os.getpid()))\n    signal.pause()\n"
    program = f"{DAEMONIZE}\n{DEAF}\n{child}daemonize({str(orphan_file)!r})\nwhile True: signal.pause()"
    started = daemon.start_python(program)
    everyone = [started["pid"], _pid_in(orphan_file)]
    wait_until(lambda: child_file.exists() and child_file.read_text())
    everyone.append(int(child_file.read_text()))

    unit.signal(signal.SIGKILL)
    unit.wait()

    wait_until(lambda: not any(map(is_alive, everyone)), within_s=2)


def test_the_next_supervisor_ends_what_a_killed_pair_left(unit: SupervisedUnit, daemon: Daemon, tmp_path: Path) -> None:
    orphan_file = tmp_path / "orphan"
    daemon.start_python(f"{DAEMONIZE}\n{DEAF}\ndaemonize({str(orphan_file)!r})\nwhile True: signal.pause()")
    orphan = _pid_in(orphan_file)
    guard = next(pid for pid in unit.descendants() if Path(f"/proc/{pid}/comm").read_text() == "nodeunit-guard\n")
    os.kill(unit.pid, signal.SIGSTOP)
    os.kill(guard, signal.SIGKILL)
    unit.signal(signal.SIGKILL)
    unit.wait()
    assert is_alive(orphan)

    with supervised_unit(tmp_path) as successor:
        successor.next_daemon()
        assert not is_alive(orphan)


def test_a_second_supervisor_of_the_same_identity_leaves_the_programs_of_the_first_alone(
    unit: SupervisedUnit, daemon: Daemon, tmp_path: Path
) -> None:
    orphan_file = tmp_path / "orphan"
    code = f"{DAEMONIZE}\ndaemonize({str(orphan_file)!r})\nwhile True: signal.pause()"
    programs = [daemon.start_python(code)["pid"], _pid_in(orphan_file)]

    second = SupervisedUnit(tmp_path)
    try:
        refused, _ = second.next_daemon(ready=False)
        refused.leave_with(30)
        assert second.wait() == 30
    finally:
        second.close()

    assert all(map(is_alive, programs))
    assert sys.executable in Path(f"/proc/{programs[0]}/cmdline").read_text()


def test_what_the_unit_lacks_is_not_said_to_be_the_programs_fault(tmp_path: Path) -> None:
    before = "import resource; resource.setrlimit(resource.RLIMIT_NOFILE, (100, 100))"
    with supervised_unit(tmp_path, before=before) as unit:
        daemon, _ = unit.next_daemon()
        daemon.say("probe")
        assert daemon.expect("probed")["lacks"] == ""
        for number in range(1, 60):
            daemon.spawn(["sleep", "60"], number)
        failed = daemon.expect("spawn_failed")
        assert (failed["lacks"], failed["detail"]) == ("descriptors", "too many open files")
        daemon.say("probe")
        assert daemon.expect("probed")["lacks"] == "descriptors"
        daemon.spawn(["/no/such/program"], 1)
        assert "lacks" not in daemon.expect("spawn_failed", key=key(1))


WITHOUT_CAP_KILL = "import ctypes; assert ctypes.CDLL(None).prctl(24, 5, 0, 0, 0) == 0"
"""As a unit that is not root: no right to signal processes of other users (PR_CAPBSET_DROP, CAP_KILL)."""


@pytest.mark.skipif(os.getuid() != 0, reason="only root can start a program as another user")
def test_a_program_that_cannot_be_ended_is_said_so_keeps_its_key_and_is_left_behind_at_the_end(tmp_path: Path) -> None:
    with supervised_unit(tmp_path, before=WITHOUT_CAP_KILL, control_groups=False, drain_timeout_s=1.0) as unit:
        daemon, _ = unit.next_daemon()
        started = daemon.start(["setpriv", "--reuid=65534", "--clear-groups", "sleep", "300"])
        try:
            wait_until(lambda: Path(f"/proc/{started['pid']}/comm").read_text() == "sleep\n")
            daemon.say("stop", key=key(), grace_s=0)
            told = daemon.expect("not_ended", key=key())
            assert told["detail"] == (
                f"process {started['pid']} belongs to user 65534, whose processes this unit may not signal"
            )
            daemon.spawn(["true"])
            assert daemon.expect("spawn_failed", key=key())["detail"] == "already running"
            assert is_alive(started["pid"])
            unit.signal(signal.SIGTERM)
            daemon.expect("drain")
            assert unit.wait(within_s=30) == EXIT_LEFT_BEHIND
            assert "is left behind" in unit.said()
        finally:
            os.kill(started["pid"], signal.SIGKILL)
