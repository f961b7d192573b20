"""A unit that lacks descriptors gives back what it cannot start, and others run it."""

import asyncio
from collections import Counter
from pathlib import Path

import pytest

from tests.support.waiting import eventually
from tools.faults.build import Build
from tools.faults.fleet import Fleet, fleet
from tools.faults.grounds import one_server

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(180)]

ROWS = 60


async def until_all_run(running: Fleet, within_s: float) -> Counter[str]:
    """How many programs each unit runs, once every row runs and is held where it runs."""

    async def all_run() -> Counter[str] | None:
        rows = {row.id: row.holder for row in await running.observer.rows()}
        running.journals.read()
        alive = {copy.deployment: copy.address for copy in running.journals.alive()}
        return Counter(alive.values()) if alive == rows else None

    runs = await eventually(all_run, within_s=within_s, every_s=0.2, what="every row runs where it is held")
    assert runs is not None
    return runs


def test_what_a_unit_cannot_start_runs_elsewhere(build: Build, tmp_path: Path) -> None:
    async def trial() -> None:
        with one_server() as ground:
            await asyncio.to_thread(build.migrate, ground.conninfo)
            async with fleet(build, tmp_path, ground, units=2, rows=2) as running:
                short = running.units[0]
                short.terminate()
                await asyncio.to_thread(short.wait)
                short.wrap("prlimit", "--nofile=100:100")
                short.start()
                await running.settle(30)
                await running.insert(ROWS, "keep", "plain")
                runs = await until_all_run(running, 60)
                assert runs.total() == ROWS + 2
                assert 0 < runs[short.address] < runs[running.units[1].address]
                told = await running.observer.ask(
                    "select type, data ->> 'lacks' as lacks from event where type in ('UnitExhausted', 'ProcessParked')"
                )
                assert [(one["type"], one["lacks"]) for one in told] == [("UnitExhausted", "descriptors")]

    asyncio.run(trial())
