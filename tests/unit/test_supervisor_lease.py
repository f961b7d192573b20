"""The arithmetic of the deadline, the timer that keeps it, and the shared memory that the guard reads it from."""

import select

import pytest

from nodeunit.clock import boottime
from nodeunit.process.linux import BootTimer
from nodeunit.supervisor.guard import GuardedProgram, GuardState, SharedGuardState
from nodeunit.supervisor.lease import MARGIN_S, LeaseDeadline


def test_without_a_lease_nothing_is_allowed() -> None:
    assert not LeaseDeadline().allows(0.0, 1.0)


def test_the_end_comes_before_the_lease_expires() -> None:
    lease = LeaseDeadline.until(110.0, now=100.0)

    assert lease.kill_at == 110.0 - MARGIN_S
    assert not lease.allows(110.0 - MARGIN_S, 0.0)


def test_nothing_is_started_that_would_be_asked_to_stop_at_once() -> None:
    lease = LeaseDeadline.until(110.0, now=100.0)

    for grace_s in (0.0, 1.0, 60.0):
        assert lease.allows(lease.term_at(grace_s) - 0.01, grace_s)
        assert not lease.allows(lease.term_at(grace_s), grace_s)


def test_a_short_grace_period_is_granted_in_full() -> None:
    assert LeaseDeadline.until(110.0, now=100.0).term_at(1.0) == 110.0 - MARGIN_S - 1.0


def test_a_long_grace_period_is_cut_so_that_a_late_heartbeat_stops_nothing() -> None:
    assert LeaseDeadline.until(110.0, now=100.0).term_at(60.0) == 100.0 + 9.5 * 0.75


def test_a_lease_too_short_for_any_grace_ends_without_asking_before() -> None:
    lease = LeaseDeadline.until(100.4, now=100.0)

    assert lease.term_at(10.0) == lease.kill_at < 100.0


@pytest.mark.parametrize("expires", [float("inf"), float("nan"), 1e9])
def test_a_lease_that_cannot_be_meant_is_refused(expires: float) -> None:
    with pytest.raises(ValueError, match="not credible"):
        LeaseDeadline.until(expires, now=100.0)


def test_the_guard_reads_the_state_that_was_written_last() -> None:
    shared = SharedGuardState()
    assert shared.read() == GuardState(0.0, ())

    for state in (
        GuardState(5.5, (GuardedProgram(1, 2, "k-1"), GuardedProgram(0, 0, "k-2"))),
        GuardState(7.25, ()),
        GuardState(8.0, ()),
    ):
        shared.write(state)
        assert shared.read() == state


def test_more_programs_than_the_shared_memory_holds_are_refused_and_leave_it_as_it_was() -> None:
    shared = SharedGuardState()
    shared.write(GuardState(1.0, ()))

    with pytest.raises(ValueError, match="more than the guard can watch"):
        shared.write(GuardState(2.0, tuple(GuardedProgram(number, number, "k" * 100) for number in range(20_000))))

    assert shared.read() == GuardState(1.0, ())


def test_the_timer_fires_at_its_moment_at_once_when_that_is_past_and_not_when_disarmed() -> None:
    timer = BootTimer()

    def fires_within(seconds: float) -> bool:
        return bool(select.select([timer.fileno()], [], [], seconds)[0])

    timer.arm(boottime() - 1000)
    assert fires_within(0.2)
    timer.acknowledge()
    assert not fires_within(0.0)

    moment = boottime() + 0.05
    timer.arm(moment)
    assert fires_within(5.0)
    assert boottime() >= moment

    timer.arm(float("inf"))
    assert not fires_within(0.01)
    timer.arm(None)
    assert not fires_within(0.01)
