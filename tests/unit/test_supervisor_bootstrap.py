"""A supervisor is started without a trace of the settings, from wherever the package is, and stays small."""

import os
import signal
import subprocess
import sys
from pathlib import Path

from nodeunit.process.leftovers import supervisors
from nodeunit.supervisor.bootstrap import interpreter_argv
from tests.support.supervisor_daemon import ADDRESS, CHECKOUT, PASSWORD, environment_of, key, supervised_unit
from tests.support.waiting import wait_until

_LIGHT_ENOUGH_KB = 16_000


def test_no_process_shows_the_settings(tmp_path: Path) -> None:
    with supervised_unit(tmp_path) as unit:
        daemon, _ = unit.next_daemon()
        started = daemon.start(["sleep", "60"])
        pids = [unit.pid, *unit.descendants()]
        assert started["pid"] in pids
        assert len(pids) == 5

        for pid in pids:
            for name in ("environ", "cmdline"):
                assert PASSWORD.encode() not in Path(f"/proc/{pid}/{name}").read_bytes(), (pid, name)
        assert environment_of(unit.pid).keys() == {"PATH", "HOME", "LANG"}
        assert environment_of(daemon.pid).keys() == {"PATH", "HOME", "LANG"}
        program_holds = {os.readlink(link) for link in Path(f"/proc/{started['pid']}/fd").iterdir()}
        assert not any("memfd" in target or "socket" in target for target in program_holds)
        assert ADDRESS in Path(f"/proc/{unit.pid}/cmdline").read_text()


def test_a_running_supervisor_is_found_and_its_guard_is_not_taken_for_one(tmp_path: Path) -> None:
    with supervised_unit(tmp_path) as unit:
        unit.next_daemon()

        assert [pid for (pid, _), address in supervisors().items() if address == ADDRESS] == [unit.pid]


def test_the_supervisor_is_small(tmp_path: Path) -> None:
    with supervised_unit(tmp_path) as unit:
        daemon, _ = unit.next_daemon()
        for number in range(1, 21):
            daemon.start(["sleep", "60"], number)

        for pid in (unit.pid, *unit.descendants()):
            if Path(f"/proc/{pid}/comm").read_text().startswith("nodeunit-"):
                values = dict(line.split(":") for line in Path(f"/proc/{pid}/status").read_text().splitlines())
                assert int(values["VmRSS"].split()[0]) < _LIGHT_ENOUGH_KB


def test_nothing_heavy_is_loaded() -> None:
    code = f"import sys; sys.path.append({str(CHECKOUT)!r}); import nodeunit.supervisor.supervisor; print(*sys.modules)"
    command = [sys.executable, "-I", "-S", "-c", code]
    loaded = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    outside = {"asyncio", "logging", "subprocess", "dataclasses", "inspect", "psutil", "msgspec", "threading"}

    assert outside.isdisjoint(loaded)
    assert not [name for name in loaded if name.startswith(("nodeunit.domain", "nodeunit.store", "nodeunit.daemon"))]


def test_a_module_runs_wherever_the_package_was_found(tmp_path: Path) -> None:
    argv = interpreter_argv("nodeunit.supervisor", site=False)
    result = subprocess.run(argv, cwd=tmp_path, env={}, capture_output=True, text=True, check=False)

    assert result.returncode == 2
    assert "not started by nodeunit run" in result.stderr


def test_closed_standard_descriptors_are_no_obstacle(tmp_path: Path) -> None:
    with supervised_unit(tmp_path, before="import os; os.close(0); os.close(1); os.close(2); ") as unit:
        daemon, _ = unit.next_daemon()
        daemon.start(["echo", "hello"])
        daemon.expect("exited")

        wait_until(lambda: unit.printed() == "hello\n")


def test_signals_that_whoever_started_it_had_blocked_or_ignored_are_heard(tmp_path: Path) -> None:
    before = "import signal as s; s.pthread_sigmask(s.SIG_BLOCK, s.valid_signals())\n"
    before += "for n in (s.SIGTERM, s.SIGHUP, s.SIGCHLD, s.SIGUSR1): s.signal(n, s.SIG_IGN)"
    with supervised_unit(tmp_path, before=before) as unit:
        daemon, _ = unit.next_daemon()
        daemon.start(["sh", "-c", "kill -TERM $$"])
        assert daemon.expect("exited")["signal"] == signal.SIGTERM
        daemon.start(["sh", "-c", "kill -USR1 $$"])
        assert daemon.expect("exited")["signal"] == signal.SIGUSR1
        unit.signal(signal.SIGTERM)
        daemon.expect("drain")


def test_a_stuck_standard_error_delays_nothing(tmp_path: Path) -> None:
    full = "import os; r, w = os.pipe(); os.set_inheritable(r, True); os.dup2(w, 2); os.set_blocking(2, False)\n"
    full += "try:\n  while True: os.write(2, b'x' * 4096)\nexcept BlockingIOError: pass\nos.set_blocking(2, True)\n"
    with supervised_unit(tmp_path, before=full) as unit:
        daemon, _ = unit.next_daemon()
        daemon.say_raw(b"garbage\n")
        daemon.start(["true"])
        assert daemon.expect("exited", key=key())["exit_code"] == 0
        os.kill(daemon.pid, 9)
        unit.next_daemon()


def test_children_from_before_are_left_alone(tmp_path: Path) -> None:
    """A shell that started something in the background and then became the unit."""
    pid_file = tmp_path / "earlier"
    before = "import os; pid = os.fork()\nif pid == 0: os.execvp('sleep', ['sleep', '5'])\n"
    before += f"open({str(pid_file)!r}, 'w').write(str(pid))"
    with supervised_unit(tmp_path, before=before) as unit:
        daemon, _ = unit.next_daemon()
        earlier = int(pid_file.read_text())
        daemon.say("leave")
        daemon.leave_with(0)
        assert unit.wait() == 0

        os.kill(earlier, 9)
        wait_until(lambda: not Path(f"/proc/{earlier}").exists())


def test_nothing_depends_on_the_directory_of_the_start(tmp_path: Path) -> None:
    """Only the daemon works there, because a path in its settings may be relative to it."""
    start = tmp_path / "start"
    start.mkdir()
    with supervised_unit(tmp_path, before=f"import os; os.chdir({str(start)!r})") as unit:
        daemon, _ = unit.next_daemon()
        started = daemon.start(["sleep", "60"])
        directories = {pid: Path(f"/proc/{pid}/cwd").readlink() for pid in (unit.pid, *unit.descendants())}
        assert directories.pop(daemon.pid) == start
        assert started["pid"] in directories
        assert set(directories.values()) == {Path("/")}

        start.rmdir()
        daemon.leave_with(1)
        successor, _ = unit.next_daemon()
        successor.start(["pwd"], 2)
        wait_until(lambda: unit.printed(2) == "/\n")


def test_a_unit_starts_in_a_deleted_directory(tmp_path: Path) -> None:
    start = tmp_path / "start"
    start.mkdir()
    before = f"import os; os.chdir({str(start)!r}); os.rmdir({str(start)!r})"
    with supervised_unit(tmp_path, before=before) as unit:
        daemon, _ = unit.next_daemon()
        daemon.start(["pwd"])
        wait_until(lambda: unit.printed() == "/\n")
