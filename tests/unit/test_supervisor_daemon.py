"""Whatever happens to the daemon, the programs continue."""

import os
import signal
from pathlib import Path

import pytest

from tests.support.paced import paced
from tests.support.supervisor_daemon import Daemon, SupervisedUnit, boottime, is_alive, key, supervised_unit
from tests.support.waiting import wait_until

FOR_EVER = "import signal\nsignal.pause()"
COUNT = paced(0.002) + "for n in range(100000): print(n); step()"


def _resident_kb(pid: int) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS:"))


def test_every_alive_is_answered(unit: SupervisedUnit) -> None:
    daemon, _ = unit.next_daemon()
    for _ in range(3):
        daemon.say("alive")
        daemon.expect("alive")


def test_a_killed_daemon_leaves_the_programs_running_and_their_logs_unbroken(
    unit: SupervisedUnit, daemon: Daemon
) -> None:
    started = daemon.start_python(COUNT, meta={"revision": 5, "claim_version": 2})
    wait_until(lambda: len(unit.printed()) > 100)
    os.kill(daemon.pid, signal.SIGKILL)

    successor, hello = unit.next_daemon()
    size = len(unit.printed())
    wait_until(lambda: len(unit.printed()) > size + 200)

    assert successor.pid != daemon.pid
    (program,) = hello["programs"]
    assert (program["key"], program["pid"], program["start_time"]) == (key(), started["pid"], started["start_time"])
    assert program["meta"] == {"revision": 5, "claim_version": 2}
    assert (program["on_disconnect"], program["stopping"]) == ("keep", False)
    assert 0 < boottime() - program["started_at"] < 20
    lines = unit.printed().split("\n")[:-1]
    assert lines == [str(number) for number in range(len(lines))]
    assert hello["supervisor"]
    assert hello["pid"] == unit.pid


def test_a_daemon_that_thaws_finds_everything_in_order(daemon: Daemon) -> None:
    for number in range(1, 31):
        daemon.start_python(FOR_EVER, number)
    for number in range(1, 31):
        daemon.say("stop", key=key(number), grace_s=1)
    os.kill(daemon.pid, signal.SIGSTOP)
    os.kill(daemon.pid, signal.SIGCONT)

    exits = [daemon.expect("exited", key=key(number)) for number in range(1, 31)]
    assert sorted(exited["id"] for exited in exits) == list(range(31, 61))  # 1 to 30 were the starts


def test_what_a_daemon_said_before_it_died_is_heard(unit: SupervisedUnit, daemon: Daemon) -> None:
    daemon.spawn(["sleep", "60"])
    daemon.leave_with(1)

    _, hello = unit.next_daemon()
    assert [program["key"] for program in hello["programs"]] == [key()]


def test_garbage_is_survived_and_said(unit: SupervisedUnit, daemon: Daemon) -> None:
    daemon.say_raw(b"\xff\x00 not json\n[]\n{}\n\n" + b'{"op":"spawn"}\n{"op":"spawn","key":"../x"}\n')
    daemon.say_raw(b'{"op":"lease","expires_boottime":"soon"}\n{"op":"lease","expires_boottime":1e400}\n')
    daemon.say_raw(b'{"op":["stop"]}\n{"op":"stop","key":3}\n{"op":"ack","id":{}}\n{"op":"explode"}\n')
    daemon.say_raw(b"x" * 5_000_000 + b"\n")

    daemon.start(["true"])
    assert daemon.expect("exited")["exit_code"] == 0
    assert "sent an invalid message" in unit.said()
    assert "key is not an identifier" in unit.said()
    assert "unknown op: None" in unit.said()
    assert "Traceback" not in unit.said()
    assert "ERROR" not in unit.said()
    assert len(unit.said()) < 3000


def test_a_daemon_that_talks_but_does_not_read_costs_no_memory(unit: SupervisedUnit, daemon: Daemon) -> None:
    watched = daemon.start_python(COUNT, 2)
    before = _resident_kb(unit.pid)
    daemon.stop_reading()
    flood = b'{"op":"spawn","key":"k","argv":["' + b"x" * 2000 + b'"],"meta":{"m":"' + b"y" * 20_000 + b'"}}\n'
    daemon.patience_s = 0.5
    with pytest.raises(TimeoutError):  # sooner or later the supervisor does not listen any more
        daemon.say_raw(flood * 1_000)

    assert _resident_kb(unit.pid) < before + 8_000
    size = len(unit.printed(2))
    wait_until(lambda: len(unit.printed(2)) > size)
    os.kill(daemon.pid, signal.SIGKILL)
    _, hello = unit.next_daemon()
    assert hello["programs"][0]["pid"] == watched["pid"]


def test_a_daemon_that_refuses_at_its_first_start_ends_the_supervisor_with_its_code(unit: SupervisedUnit) -> None:
    daemon, _ = unit.next_daemon(ready=False)
    daemon.leave_with(22)

    assert unit.wait() == 22


def test_a_daemon_that_crashes_at_its_first_start_is_started_again(unit: SupervisedUnit) -> None:
    daemon, _ = unit.next_daemon(ready=False)
    daemon.leave_with(1)

    unit.next_daemon(ready=False)


def test_once_ready_no_exit_code_ends_the_supervisor(unit: SupervisedUnit, daemon: Daemon) -> None:
    for exit_code in (22, 0):
        daemon.leave_with(exit_code)
        daemon, _ = unit.next_daemon(ready=False)


def test_a_daemon_that_keeps_dying_is_started_later_and_later(unit: SupervisedUnit, daemon: Daemon) -> None:
    waits = []
    for _ in range(4):
        daemon.leave_with(1)
        began = boottime()
        daemon, _ = unit.next_daemon()
        waits.append(boottime() - began)

    assert waits[0] < 0.6
    assert 0.8 < waits[3] < 2


def test_sighup_replaces_the_daemon_and_the_programs_do_not_notice(unit: SupervisedUnit, daemon: Daemon) -> None:
    started = daemon.start_python(FOR_EVER)
    unit.signal(signal.SIGHUP)
    daemon.expect("replace")
    began = boottime()
    daemon.leave_with(0)

    _, hello = unit.next_daemon()
    assert boottime() - began < 1
    assert hello["programs"][0]["pid"] == started["pid"]


def test_a_daemon_that_promised_to_be_heard_and_is_stuck_is_replaced(tmp_path: Path) -> None:
    with supervised_unit(tmp_path, daemon_silence_s=0.6) as unit:
        daemon, _ = unit.next_daemon()
        started = daemon.start_python(FOR_EVER)
        for _ in range(5):
            began = boottime()
            daemon.say("alive")
            wait_until(lambda began=began: boottime() > began + 0.3)  # type: ignore[misc]
            assert is_alive(daemon.pid)
        os.kill(daemon.pid, signal.SIGSTOP)

        _, hello = unit.next_daemon()
        assert not is_alive(daemon.pid)
        assert hello["programs"][0]["pid"] == started["pid"]
        assert "has sent nothing for 0.6 s" in unit.said()


def test_a_daemon_that_promised_nothing_may_be_silent(tmp_path: Path) -> None:
    with supervised_unit(tmp_path, daemon_silence_s=0.1) as unit:
        daemon, _ = unit.next_daemon()
        daemon.start(["sleep", "0.5"])
        daemon.expect("exited")

        assert is_alive(daemon.pid)


def test_each_daemon_gets_its_settings_through_a_socket(unit: SupervisedUnit, daemon: Daemon) -> None:
    daemon.leave_with(1)
    successor, _ = unit.next_daemon()
    words = Path(f"/proc/{successor.pid}/cmdline").read_text().split("\0")
    settings_fd = words[words.index("--settings-fd") + 1]

    place = Path(f"/proc/{successor.pid}/fd/{settings_fd}")
    assert os.readlink(place).startswith("socket:")
    with pytest.raises(OSError, match="No such device"):
        place.read_text()
