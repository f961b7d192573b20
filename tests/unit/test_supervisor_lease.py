"""The arithmetic of the deadline, the timer that keeps it, and the board that the guard reads it from."""

import select

import pytest

from nodeunit.clock import boottime
from nodeunit.supervisor.guard import Board, Bound, Notice
from nodeunit.supervisor.lease import MARGIN_S, Lease
from nodeunit.supervisor.linux import BootTimer


def test_without_a_lease_nothing_is_allowed() -> None:
    assert not Lease().allows(0.0)


def test_the_end_comes_before_the_lease_expires() -> None:
    lease = Lease.until(110.0, now=100.0)

    assert lease.end_at == 110.0 - MARGIN_S
    assert lease.allows(109.0)
    assert not lease.allows(110.0 - MARGIN_S)


def test_a_short_grace_period_is_granted_in_full() -> None:
    assert Lease.until(110.0, now=100.0).ask_at(1.0) == 110.0 - MARGIN_S - 1.0


def test_a_long_grace_period_is_cut_so_that_a_late_heartbeat_stops_nothing() -> None:
    assert Lease.until(110.0, now=100.0).ask_at(60.0) == 100.0 + 9.5 * 0.75


def test_a_lease_too_short_for_any_grace_ends_without_asking_before() -> None:
    lease = Lease.until(100.4, now=100.0)

    assert lease.ask_at(10.0) == lease.end_at < 100.0


@pytest.mark.parametrize("expires", [float("inf"), float("nan"), 1e9])
def test_a_lease_that_cannot_be_meant_is_refused(expires: float) -> None:
    with pytest.raises(ValueError, match="not credible"):
        Lease.until(expires, now=100.0)


def test_the_board_shows_the_last_notice() -> None:
    board = Board()
    assert board.read() == Notice(0.0, ())

    for notice in (Notice(5.5, (Bound(1, 2, "k-1"), Bound(0, 0, "k-2"))), Notice(7.25, ()), Notice(8.0, ())):
        board.post(notice)
        assert board.read() == notice


def test_more_programs_than_the_board_holds_are_refused_and_leave_it_as_it_was() -> None:
    board = Board()
    board.post(Notice(1.0, ()))

    with pytest.raises(ValueError, match="more than the guard can watch"):
        board.post(Notice(2.0, tuple(Bound(number, number, "k" * 100) for number in range(20_000))))

    assert board.read() == Notice(1.0, ())


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
