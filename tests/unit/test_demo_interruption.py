"""When a signal interrupts the demo, and when it is only remembered."""

import asyncio
import signal
from collections.abc import Iterator

import pytest

from nodeunit.demo.interruption import Interruption
from tests.support.waiting import turns_of_the_loop

ENDING = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]


@pytest.fixture(autouse=True)
def default_signals() -> Iterator[None]:
    before = {signum: signal.signal(signum, signal.SIG_DFL) for signum in ENDING}
    yield
    for signum, handler in before.items():
        signal.signal(signum, handler)


@pytest.mark.parametrize("signum", ENDING)
def test_it_interrupts_where_that_is_allowed(signum: signal.Signals) -> None:
    with Interruption() as interruption, pytest.raises(KeyboardInterrupt), interruption.allowed():
        signal.raise_signal(signum)
    assert interruption.exit_code == 128 + signum


def test_elsewhere_it_is_remembered_until_it_is_allowed() -> None:
    with Interruption() as interruption:
        signal.raise_signal(signal.SIGTERM)
        assert not interruption.repeated
        with pytest.raises(KeyboardInterrupt), interruption.allowed():
            raise AssertionError("the block was entered")
        with pytest.raises(KeyboardInterrupt):
            asyncio.run(interruption.may_end(asyncio.Event().wait()))


def test_only_the_first_interrupts() -> None:
    cleaned_up = False

    def work_and_clean_up() -> None:
        nonlocal cleaned_up
        try:
            signal.raise_signal(signal.SIGTERM)
        finally:
            signal.raise_signal(signal.SIGINT)
            cleaned_up = True

    with Interruption() as interruption, pytest.raises(KeyboardInterrupt), interruption.allowed():
        work_and_clean_up()
    assert cleaned_up
    assert interruption.repeated
    assert interruption.exit_code == 128 + signal.SIGTERM


def test_a_coroutine_is_cancelled_and_who_waits_for_it_cleans_up() -> None:
    seen: list[str] = []

    async def work() -> None:
        try:
            signal.raise_signal(signal.SIGINT)
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            seen.append("cancelled")
            raise

    async def run() -> None:
        try:
            await interruption.may_end(work())
        finally:
            signal.raise_signal(signal.SIGINT)
            await turns_of_the_loop(1)
            seen.append("cleaned up")

    with Interruption() as interruption, pytest.raises(KeyboardInterrupt):
        asyncio.run(run())
    assert seen == ["cancelled", "cleaned up"]


def test_without_a_signal_the_result_or_the_error_comes_through() -> None:
    async def succeed() -> str:
        return "result"

    async def fail() -> None:
        raise ZeroDivisionError

    with Interruption() as interruption:
        assert asyncio.run(interruption.may_end(succeed())) == "result"
        with pytest.raises(ZeroDivisionError):
            asyncio.run(interruption.may_end(fail()))


@pytest.mark.parametrize("signum", ENDING)
def test_an_ignored_signal_is_heard_but_for_that_of_nohup(signum: signal.Signals) -> None:
    signal.signal(signum, signal.SIG_IGN)
    with Interruption() as interruption:
        signal.raise_signal(signum)
    assert interruption.signum == (None if signum == signal.SIGHUP else signum)


def test_without_a_signal_all_is_as_it_was_and_after_one_none_is_heard() -> None:
    before = [signal.getsignal(signum) for signum in ENDING]
    with Interruption():
        assert [signal.getsignal(signum) for signum in ENDING] != before
    assert [signal.getsignal(signum) for signum in ENDING] == before
    with Interruption():
        signal.raise_signal(signal.SIGTERM)
    assert [signal.getsignal(signum) for signum in ENDING] == [signal.SIG_IGN] * 3


def test_a_blocked_signal_is_heard() -> None:
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
    try:
        with Interruption() as interruption:
            signal.raise_signal(signal.SIGTERM)
        assert interruption.signum == signal.SIGTERM
        assert signal.SIGTERM in signal.pthread_sigmask(signal.SIG_BLOCK, [])
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
