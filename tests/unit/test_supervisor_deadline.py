"""What must stop with the lease is dead before it expires, whichever process is frozen; other programs continue."""

import os
import signal
from pathlib import Path

import pytest

from tests.support.paced import paced
from tests.support.supervisor_daemon import Daemon, SupervisedUnit, boottime, is_alive, key, supervised_unit
from tests.support.waiting import wait_until

FOR_EVER = "import signal\nsignal.pause()"
# Deaf to SIGTERM, with a child in another session; writes the moment of each beat, of both, into its log.
BEATING = (
    paced(0.01)
    + """
import os, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
if os.fork() == 0:
    os.setsid()
    pace()
while True:
    os.write(1, b'%.3f\\n' % time.clock_gettime(time.CLOCK_BOOTTIME))
    step()
"""
)


def _last_beat(unit: SupervisedUnit, number: int = 1) -> float:
    return max(float(line) for line in unit.printed(number).split("\n")[:-1])


def _guard_of(unit: SupervisedUnit) -> int:
    return next(pid for pid in unit.descendants() if Path(f"/proc/{pid}/comm").read_text() == "nodeunit-guard\n")


def test_without_a_lease_nothing_starts_that_must_stop_with_it(daemon: Daemon) -> None:
    daemon.spawn(["true"], on_disconnect="stop")
    assert daemon.expect("spawn_failed")["detail"] == "lease expired"

    daemon.grant_lease(-1)
    daemon.spawn(["true"], on_disconnect="stop")
    assert daemon.expect("spawn_failed")["detail"] == "lease expired"

    daemon.grant_lease(5)
    daemon.start(["true"], on_disconnect="stop")


def test_a_frozen_daemon_does_not_keep_anything_alive(unit: SupervisedUnit, daemon: Daemon) -> None:
    expires = daemon.grant_lease(1.5)
    stop = daemon.start_python(BEATING, 1, on_disconnect="stop")
    keep = daemon.start_python(BEATING, 2, on_disconnect="keep")
    os.kill(daemon.pid, signal.SIGSTOP)

    wait_until(lambda: not is_alive(stop["pid"]), every_s=0.005)
    assert boottime() < expires
    assert 0.3 < expires - _last_beat(unit, 1) < 1.0
    wait_until(lambda: _last_beat(unit, 2) > expires)
    assert is_alive(keep["pid"])
    os.kill(daemon.pid, signal.SIGCONT)
    exited = daemon.expect("exited")
    assert (exited["key"], exited["stopped"], exited["cause"]) == (key(1), True, "lease")


def test_a_dead_daemon_neither(tmp_path: Path) -> None:
    with supervised_unit(tmp_path) as unit:
        daemon, _ = unit.next_daemon()
        expires = daemon.grant_lease(1.2)
        stop = daemon.start_python(BEATING, on_disconnect="stop")
        os.kill(daemon.pid, signal.SIGKILL)
        _, hello = unit.next_daemon()

        assert hello["lease_expires"] == pytest.approx(expires)
        wait_until(lambda: not is_alive(stop["pid"]), every_s=0.005)
        assert boottime() < expires


def test_a_frozen_supervisor_is_stood_in_for_by_the_guard(unit: SupervisedUnit, daemon: Daemon) -> None:
    expires = daemon.grant_lease(1.2)
    stop = daemon.start_python(BEATING, 1, on_disconnect="stop")
    keep = daemon.start_python(FOR_EVER, 2, on_disconnect="keep")
    wait_until(lambda: len(unit.printed()) > 0)
    os.kill(daemon.pid, signal.SIGSTOP)
    unit.signal(signal.SIGSTOP)

    wait_until(lambda: not is_alive(stop["pid"]), every_s=0.005)
    assert boottime() < expires
    assert is_alive(keep["pid"])

    unit.signal(signal.SIGCONT)
    os.kill(daemon.pid, signal.SIGCONT)
    exited = daemon.expect("exited")
    assert (exited["cause"], exited["signal"]) == ("lease", signal.SIGKILL)
    assert _last_beat(unit) < expires
    assert "the supervisor did not act" in unit.said()


def test_the_guard_knows_the_latest_lease_and_programs(unit: SupervisedUnit, daemon: Daemon) -> None:
    daemon.grant_lease(1.0)
    first = daemon.start_python(FOR_EVER, 1, on_disconnect="stop")
    expires = daemon.grant_lease(2.5)
    second = daemon.start_python(FOR_EVER, 2, on_disconnect="stop")
    unit.signal(signal.SIGSTOP)

    wait_until(lambda: boottime() > expires - 1.0)
    assert is_alive(first["pid"])
    wait_until(lambda: not is_alive(first["pid"]) and not is_alive(second["pid"]), every_s=0.005)
    assert boottime() < expires
    unit.signal(signal.SIGCONT)
    assert daemon.expect("exited")["cause"] == "lease"


def test_a_killed_guard_is_replaced_and_the_new_one_acts(unit: SupervisedUnit, daemon: Daemon) -> None:
    guard = _guard_of(unit)
    os.kill(guard, signal.SIGKILL)
    wait_until(lambda: not is_alive(guard))
    wait_until(lambda: len(unit.descendants()) == 3, what="another guard, and the daemon")

    expires = daemon.grant_lease(1.0)
    stop = daemon.start_python(BEATING, on_disconnect="stop")
    unit.signal(signal.SIGSTOP)
    wait_until(lambda: not is_alive(stop["pid"]), every_s=0.005)
    assert boottime() < expires


def test_renewal_keeps_a_program_running(unit: SupervisedUnit, daemon: Daemon) -> None:
    first = daemon.grant_lease(1.0)
    stop = daemon.start_python(FOR_EVER, on_disconnect="stop")
    while boottime() < first + 1.0:
        renewed = boottime()
        daemon.grant_lease(1.0)
        wait_until(lambda renewed=renewed: boottime() > renewed + 0.3)  # type: ignore[misc]

    assert is_alive(stop["pid"])
    assert daemon.heard == []


def test_a_program_that_stops_when_asked_is_asked_in_time(unit: SupervisedUnit, daemon: Daemon) -> None:
    asked = "import signal, sys\nsignal.signal(15, lambda *_: sys.exit(4))\nprint('up')\nwhile True: signal.pause()"
    expires = daemon.grant_lease(2.5)
    daemon.start_python(asked, on_disconnect="stop", grace_s=0.3)

    exited = daemon.expect("exited")
    assert (exited["exit_code"], exited["cause"]) == (4, "lease")
    assert expires - boottime() > 0.5


def test_a_lease_that_is_withdrawn_ends_them_now(daemon: Daemon) -> None:
    daemon.grant_lease(30)
    daemon.start_python(BEATING, on_disconnect="stop")
    began = boottime()
    daemon.grant_lease(-1)

    assert daemon.expect("exited")["cause"] == "lease"
    assert boottime() - began < 1


def test_a_grace_period_ends_with_the_lease(unit: SupervisedUnit, daemon: Daemon) -> None:
    expires = daemon.grant_lease(1.5)
    daemon.start_python(BEATING, on_disconnect="stop")
    wait_until(lambda: len(unit.printed()) > 0)
    daemon.say("stop", key=key(), grace_s=60)

    exited = daemon.expect("exited")
    assert (exited["cause"], exited["signal"]) == ("stop", signal.SIGKILL)
    assert boottime() < expires


def test_many_trees_are_dead_in_time(unit: SupervisedUnit, daemon: Daemon) -> None:
    numbers = range(1, 41)
    expires = daemon.grant_lease(5.0)
    for number in numbers:
        daemon.spawn(["sh", "-c", "trap '' TERM; sleep 60 & setsid sleep 60 & wait"], number, on_disconnect="stop")
    pids = [daemon.expect("started", key=key(number))["pid"] for number in numbers]
    wait_until(lambda: len(unit.descendants()) >= 2 + 3 * len(pids))
    expires = daemon.grant_lease(1.0)
    os.kill(daemon.pid, signal.SIGSTOP)

    wait_until(lambda: len(unit.descendants()) == 3, every_s=0.005, what="only guard and daemon")
    assert boottime() < expires
