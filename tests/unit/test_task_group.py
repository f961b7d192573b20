"""The group ends whatever its tasks do with a cancellation."""

import asyncio

import pytest

from nodeunit.clock import boottime
from nodeunit.daemon import task_group as module
from nodeunit.daemon.task_group import RecancellingTaskGroup
from tests.support.waiting import eventually, turns_of_the_loop


class Fenced(Exception):
    pass


async def fail() -> None:
    raise Fenced


class Misses:
    """A task that loses cancellations, as `wait_for` of Python 3.11 does when its result arrives at that moment."""

    def __init__(self, cancellations: int) -> None:
        self.cancellations = cancellations
        self.cancelled = 0

    async def run(self) -> None:
        while True:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                self.cancelled += 1
                if self.cancelled > self.cancellations:
                    raise


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CANCEL_AGAIN_AFTER_S", 0.01)


@pytest.mark.parametrize("cancellations", [0, 1, 3])
async def test_a_failure_ends_a_task_that_missed_its_cancellation(cancellations: int) -> None:
    misses = Misses(cancellations)

    async def fails() -> None:
        async with asyncio.timeout(5), RecancellingTaskGroup() as tasks:
            tasks.start(misses.run())
            await turns_of_the_loop(1)
            tasks.start(fail())

    with pytest.raises(ExceptionGroup) as raised:
        await fails()
    assert raised.group_contains(Fenced)
    assert misses.cancelled == cancellations + 1


@pytest.mark.parametrize("cancellations", [0, 1, 3])
async def test_all_end_when_they_are_cancelled(cancellations: int) -> None:
    misses, obeys = Misses(cancellations), Misses(0)
    async with asyncio.timeout(5):
        async with RecancellingTaskGroup() as tasks:
            running = [tasks.start(each.run()) for each in (misses, obeys)]
            await turns_of_the_loop(1)
            tasks.cancel_all()
    assert all(task.cancelled() for task in running)
    assert (misses.cancelled, obeys.cancelled) == (cancellations + 1, 1)


async def test_a_task_that_is_done_ends_no_other() -> None:
    obeys = Misses(0)
    async with asyncio.timeout(5), RecancellingTaskGroup() as tasks:
        tasks.start(obeys.run())
        await tasks.start(turns_of_the_loop(1))
        until = boottime() + 5 * module.CANCEL_AGAIN_AFTER_S

        async def outlast() -> None:
            await eventually(lambda: boottime() > until)

        await tasks.start(outlast())  # would be cancelled with all the others
        assert obeys.cancelled == 0
        tasks.cancel_all()
    assert obeys.cancelled == 1
