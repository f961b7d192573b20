"""A daemon notices that its supervisor does not answer, and takes no other silence for that one."""

import asyncio

import pytest

from nodeunit.clock import boottime
from nodeunit.daemon import supervisor_watch
from nodeunit.daemon.supervisor_watch import SupervisorSilent, SupervisorWatch
from tests.support.waiting import eventually, turns_of_the_loop, wait_until

pytestmark = pytest.mark.timeout(10)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervisor_watch, "LOOK_EVERY_S", 0.01)


async def test_a_supervisor_that_stops_answering_is_noticed_and_waited_for() -> None:
    watch = SupervisorWatch(silent_s=0.05)
    watch.on_answer()
    with pytest.raises(SupervisorSilent, match="has not answered"):
        await watch.run()
    waiting = asyncio.create_task(watch.wait_until_it_answers())
    await asyncio.wait((waiting,), timeout=0.05)
    assert not waiting.done()
    watch.on_answer()
    await waiting


async def test_one_that_answers_is_left_alone() -> None:
    watch = SupervisorWatch(silent_s=0.05)
    watching = asyncio.create_task(watch.run())
    until = boottime() + 4 * 0.05

    def answers() -> bool:
        watch.on_answer()
        return boottime() > until

    await eventually(answers, every_s=0.01, what="it has answered for long")
    assert not watching.done()
    watching.cancel()


async def test_one_that_never_promised_to_answer_is_left_alone() -> None:
    watching = asyncio.create_task(SupervisorWatch(silent_s=0.05).run())
    await asyncio.wait((watching,), timeout=0.3)
    assert not watching.done()
    watching.cancel()


async def test_standing_still_oneself_is_no_silence_of_the_supervisor() -> None:
    watch = SupervisorWatch(silent_s=0.05)
    watch.on_answer()
    watching = asyncio.create_task(watch.run())
    await turns_of_the_loop()
    until = boottime() + 0.3
    wait_until(lambda: boottime() > until, what="the whole process has stood still, as when it is frozen")
    await asyncio.wait((watching,), timeout=0.02)
    assert not watching.done()
    watching.cancel()
