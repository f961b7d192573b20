"""Programs that end as soon as they are started: they are parked, and nothing else suffers."""

import asyncio
import re
from collections.abc import Callable

import pytest

from tests.support.restarting_unit import RULE
from tests.support.rows import rows, value
from tests.support.unit_process import UnitProcess
from tests.support.waiting import eventually

pytestmark = pytest.mark.e2e

CRASHING = 100


@pytest.mark.timeout(180)
async def test_many_crash_loops_end_and_cost_nobody_anything(
    database: str, start_unit: Callable[..., UnitProcess]
) -> None:
    unit = start_unit(database, module="tests.support.restarting_unit")
    rows(
        database,
        "insert into deployment (package_name, package_version, command, on_disconnect) "
        "values ('a', '1', 'sleep 1000', 'stop')",
    )
    running = await eventually(
        lambda: value(database, "select max(data ->> 'pid') from event where type = 'ProcessStarted'"),
        what="the program runs that must stop with its lease",
    )
    rows(
        database,
        "insert into deployment (package_name, package_version, command) "
        "select 'a', '1', 'false' from generate_series(1, %s)",
        (CRASHING,),
    )

    def count(kind: str) -> int:
        return int(value(database, "select count(*) from event where type = %s", (kind,)))

    await eventually(lambda: count("ProcessParked") == CRASHING, within_s=120, what="all are parked")
    assert count("UnitLost") == 0
    assert count("ProcessExited") == CRASHING * RULE.park_after
    assert value(database, "select count(distinct deployment_id) from event where type = 'ProcessParked'") == CRASHING
    assert value(database, "select membership from unit") == "present"
    assert [process.pid for process in unit.descendants() if process.name() == "sleep"] == [int(running)]

    unit.terminate()
    assert await asyncio.to_thread(unit.wait) == 0
    (reconciles,) = re.findall(r"^reconciles: (\d+)$", unit.log, re.MULTILINE)
    exits_and_restarts = 2 * CRASHING * RULE.park_after
    assert int(reconciles) < exits_and_restarts + 500, (
        "besides those only claims, releases, notifications and heartbeats"
    )
