"""The supervisor ends drained if it can, and never leaves a program behind."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from nodeunit.supervisor import signals
from nodeunit.supervisor.shutdown import EXIT_NOT_DRAINED
from tests.support.supervisor_daemon import Daemon, SupervisedUnit, boottime, is_alive, key, supervised_unit
from tests.support.waiting import wait_until

FOR_EVER = "import signal\nsignal.pause()"
DEAF = "import signal\nsignal.signal(15, signal.SIG_IGN)\nprint('up')\nwhile True: signal.pause()"


@pytest.fixture
def unit(tmp_path: Path) -> Iterator[SupervisedUnit]:
    with supervised_unit(tmp_path, drain_timeout_s=1.5, stop_grace_s=0.5) as unit:
        yield unit


@pytest.mark.parametrize("signum", signals.DRAIN)
def test_a_drain_in_good_order(unit: SupervisedUnit, daemon: Daemon, signum: int) -> None:
    daemon.start_python(FOR_EVER)
    everyone = unit.descendants()
    unit.signal(signum)
    daemon.expect("drain")
    daemon.say("stop", key=key(), grace_s=5)
    daemon.say("ack", id=daemon.expect("exited")["id"])
    daemon.say("leave")
    daemon.leave_with(0)

    assert unit.wait() == 0
    assert not any(map(is_alive, everyone))


def test_no_other_signal_ends_the_supervisor_or_what_helps_it(unit: SupervisedUnit, daemon: Daemon) -> None:
    started = daemon.start_python(FOR_EVER)
    everyone = [unit.pid, *(pid for pid in unit.descendants() if pid not in (daemon.pid, started["pid"]))]
    assert len(everyone) == 3, "supervisor, guard and log writer"
    for signum in signals.IGNORE:
        for pid in everyone:
            os.kill(pid, signum)
    daemon.say("alive")
    daemon.expect("alive")
    wait_until(lambda: "SIGUSR1 has no meaning for a unit and is ignored" in unit.said())
    assert all(map(is_alive, [*everyone, started["pid"]]))


@pytest.mark.parametrize("signum", sorted(signal.valid_signals()))
def test_every_signal_is_accounted_for(signum: int) -> None:
    """One that a new kernel or Python brings is looked at, and goes into the table."""
    left_to_the_kernel = {
        signal.SIGKILL, signal.SIGSTOP, signal.SIGTSTP, signal.SIGTTIN, signal.SIGTTOU, signal.SIGCONT, signal.SIGURG,
        signal.SIGWINCH, signal.SIGPIPE, signal.SIGXFSZ, signal.SIGABRT, signal.SIGBUS, signal.SIGFPE, signal.SIGILL,
        signal.SIGSEGV, signal.SIGSYS, signal.SIGTRAP,
    }  # fmt: skip
    assert (signum in signals.HANDLED) != (signum in left_to_the_kernel)


def test_a_unit_that_leaves_unasked_ends_too_and_takes_its_programs_along(unit: SupervisedUnit, daemon: Daemon) -> None:
    started = daemon.start_python(FOR_EVER)
    daemon.say("leave")
    daemon.leave_with(0)

    assert unit.wait() == 0
    assert not is_alive(started["pid"])


def test_without_a_daemon_the_programs_are_ended_by_the_supervisor(unit: SupervisedUnit, daemon: Daemon) -> None:
    pids = [daemon.start_python(code, number)["pid"] for number, code in enumerate((FOR_EVER, DEAF), 1)]
    for _ in range(4):  # until the pause before the next start is long enough to be met
        daemon.leave_with(1)
        if _ < 3:
            daemon, _hello = unit.next_daemon()
    wait_until(lambda: len(unit.descendants()) == 2 + len(pids))
    unit.signal(signal.SIGTERM)

    assert unit.wait() == EXIT_NOT_DRAINED
    assert not any(map(is_alive, pids))


def test_a_drain_that_takes_too_long_is_finished_by_the_supervisor(unit: SupervisedUnit, daemon: Daemon) -> None:
    started = daemon.start_python(DEAF)
    os.kill(daemon.pid, signal.SIGSTOP)
    began = boottime()
    unit.signal(signal.SIGTERM)

    assert unit.wait() == EXIT_NOT_DRAINED
    assert 1.5 < boottime() - began < 6
    assert not is_alive(started["pid"])
    assert not is_alive(daemon.pid)


def test_a_daemon_that_dies_while_draining_gets_a_successor_that_knows(unit: SupervisedUnit, daemon: Daemon) -> None:
    daemon.start_python(FOR_EVER)
    unit.signal(signal.SIGTERM)
    daemon.expect("drain")
    daemon.leave_with(1)

    successor, hello = unit.next_daemon()
    assert hello["draining"]
    successor.say("leave")
    successor.leave_with(0)
    assert unit.wait() == 0


def test_asked_twice_it_kills(tmp_path: Path) -> None:
    with supervised_unit(tmp_path, drain_timeout_s=60, stop_grace_s=60) as unit:
        daemon, _ = unit.next_daemon()
        started = daemon.start_python(DEAF)
        unit.signal(signal.SIGTERM)
        unit.signal(signal.SIGINT)  # a terminal and a wrapper that pass on the same Ctrl-C
        began = boottime()
        wait_until(lambda: boottime() > began + 1.1)
        assert is_alive(started["pid"])
        unit.signal(signal.SIGTERM)

        assert unit.wait(5) == EXIT_NOT_DRAINED
        assert not is_alive(started["pid"])


def test_nothing_starts_while_the_supervisor_ends_the_programs(unit: SupervisedUnit, daemon: Daemon) -> None:
    daemon.start_python(DEAF)
    wait_until(lambda: unit.printed() == "up\n")
    unit.signal(signal.SIGTERM)
    began = boottime()
    wait_until(lambda: boottime() > began + 1.2)
    unit.signal(signal.SIGTERM)
    unit.wait()

    assert not unit.log_of(2).exists()
