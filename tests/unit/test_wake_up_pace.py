"""A flood of wake-ups is acted on once in a while, and a fleet that claims is not held up."""

import asyncio

from nodeunit.daemon.wake_up_pace import AT_ONCE, WakeUpPace
from nodeunit.store.postgres.listener import WakeUp
from tests.support.waiting import eventually


async def test_a_flood_is_acted_on_a_few_times_and_then_as_one() -> None:
    acted: list[WakeUp] = []
    pace = WakeUpPace("unit-1", acted.append)
    for _ in range(100_000):
        pace.hear(WakeUp("deployment"))
    at_once = len(acted)
    assert AT_ONCE <= at_once < 100, "a turn more for each tenth of a second that the flood took"
    await eventually(lambda: len(acted) == at_once + 1, what="the rest is acted on as one")
    pace.stop()


async def test_all_kinds_that_waited_are_acted_on() -> None:
    acted: list[WakeUp] = []
    pace = WakeUpPace("unit-1", acted.append)
    for _ in range(int(AT_ONCE)):
        pace.hear(WakeUp("deployment"))
    acted.clear()
    for what in ("unit", "logs", "eligible", "unit", "logs"):
        pace.hear(WakeUp(what, frozenset({"unit-1"})))
    await eventually(lambda: [each.what for each in acted] == ["unit", "logs", "eligible"])


async def test_whoever_claims_is_not_held_up() -> None:
    acted: list[WakeUp] = []
    pace = WakeUpPace("unit-1", acted.append)
    for _ in range(1000):
        pace.hear(WakeUp("eligible"))
        pace.give_back()
    assert len(acted) == 1000


async def test_what_is_for_others_costs_nothing() -> None:
    acted: list[WakeUp] = []
    pace = WakeUpPace("unit-1", acted.append)
    for _ in range(1000):
        pace.hear(WakeUp("eligible", frozenset({"unit-2"})))
    pace.hear(WakeUp("eligible", frozenset({"unit-1"})))
    assert len(acted) == 1


async def test_nothing_is_passed_on_after_the_end() -> None:
    acted: list[WakeUp] = []
    pace = WakeUpPace("unit-1", acted.append)
    for _ in range(1000):
        pace.hear(WakeUp("eligible"))
    pace.stop()
    before = len(acted)
    await asyncio.wait_for(asyncio.get_running_loop().run_in_executor(None, lambda: None), 5)
    assert len(acted) == before
