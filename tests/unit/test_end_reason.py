"""A daemon ends for the strongest reason it was given, whatever it had begun for a weaker one."""

import asyncio
import signal
from collections.abc import Iterator

import pytest

from nodeunit.daemon.end_reason import EndReason, EndRequest
from nodeunit.errors import StaleEpoch

pytestmark = pytest.mark.timeout(10)


@pytest.fixture(autouse=True)
def no_alarm() -> Iterator[None]:
    """The alarm that ends an orphan must not end the tests."""
    yield
    signal.alarm(0)


async def test_the_death_of_the_supervisor_interrupts_a_drain_that_waits_for_it() -> None:
    request, begun, draining = EndRequest(), [], asyncio.Event()

    async def end(reason: EndReason) -> None:
        begun.append(reason)
        if reason is EndReason.DRAIN:
            draining.set()
            await asyncio.Event().wait()  # an exit that nobody will report

    carried_out = asyncio.create_task(request.carry_out(end))
    request.request(EndReason.DRAIN)
    await draining.wait()
    request.request(EndReason.SUPERVISOR_DIED)
    await carried_out
    assert begun == [EndReason.DRAIN, EndReason.SUPERVISOR_DIED]


async def test_a_weaker_reason_that_follows_changes_nothing() -> None:
    request, begun, drained = EndRequest(), [], asyncio.Event()

    async def end(reason: EndReason) -> None:
        begun.append(reason)
        await drained.wait()

    carried_out = asyncio.create_task(request.carry_out(end))
    request.request(EndReason.DRAIN)
    request.request(EndReason.REPLACE)
    drained.set()
    await carried_out
    assert begun == [EndReason.DRAIN]


async def test_a_drain_that_the_loss_of_the_lease_interrupts_is_begun_again_by_the_next_session() -> None:
    request, begun = EndRequest(), []

    async def interrupted(reason: EndReason) -> None:
        begun.append(reason)
        raise StaleEpoch("the epoch is over")

    async def end(reason: EndReason) -> None:
        begun.append(reason)

    request.request(EndReason.DRAIN)
    with pytest.raises(StaleEpoch):
        await request.carry_out(interrupted)
    await request.carry_out(end)
    assert begun == [EndReason.DRAIN, EndReason.DRAIN]


async def test_a_lost_cancellation_is_repeated() -> None:
    request, waiting = EndRequest(), asyncio.Event()

    async def end(reason: EndReason) -> None:
        if reason is EndReason.DRAIN:
            waiting.set()
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                await asyncio.Event().wait()

    carried_out = asyncio.create_task(request.carry_out(end))
    request.request(EndReason.DRAIN)
    await waiting.wait()
    request.request(EndReason.SUPERVISOR_DIED)
    await carried_out


async def test_an_orphan_is_ended_by_the_kernel_should_it_not_end_by_itself() -> None:
    EndRequest().request(EndReason.SUPERVISOR_DIED)
    assert signal.getsignal(signal.SIGALRM) is signal.SIG_DFL
    assert signal.alarm(0) > 0
