"""The group ends whatever its duties do with a cancellation."""

import asyncio

import pytest

from nodeunit.daemon import task_group as module
from nodeunit.daemon.task_group import RecancellingTaskGroup


class Fenced(Exception):
    pass


async def fail() -> None:
    raise Fenced


async def misses(cancellations: int) -> None:
    """As `wait_for` of Python 3.11 does, when what was waited for arrives in the same moment."""
    while True:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            if cancellations == 0:
                raise
            cancellations -= 1


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CANCEL_AGAIN_AFTER_S", 0.01)


@pytest.mark.parametrize("cancellations", [0, 1, 3])
async def test_a_failure_ends_a_duty_that_missed_its_cancellation(cancellations: int) -> None:
    async def fails() -> None:
        async with asyncio.timeout(5), RecancellingTaskGroup() as tasks:
            tasks.start(misses(cancellations))
            await asyncio.sleep(0)
            tasks.start(fail())

    with pytest.raises(ExceptionGroup) as raised:
        await fails()
    assert raised.group_contains(Fenced)


@pytest.mark.parametrize("cancellations", [0, 1, 3])
async def test_all_end_when_they_are_to(cancellations: int) -> None:
    async with asyncio.timeout(5):
        async with RecancellingTaskGroup() as tasks:
            tasks.start(misses(cancellations))
            tasks.start(misses(0))
            await asyncio.sleep(0)
            tasks.cancel_all()


async def test_a_duty_that_is_done_ends_nobody() -> None:
    async with asyncio.timeout(5), RecancellingTaskGroup() as tasks:
        going_on = tasks.start(misses(0))
        tasks.start(asyncio.sleep(0))
        await asyncio.sleep(0.05)
        assert not going_on.done()
        tasks.cancel_all()
