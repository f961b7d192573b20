"""A unit that measures nonsense: it says so once, keeps its lease and its programs, and holds up no other unit."""

import asyncio
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.rows import rows, value
from tests.support.unit_process import UnitProcess
from tests.support.waiting import eventually
from tools.faults.breakages import replacing
from tools.faults.build import make_build

pytestmark = pytest.mark.e2e

NONSENSE = {"nodeunit/process/sampler.py": replacing("Usage(tree.cpu_percent,", 'Usage(float("nan"),')}
"""A build with which every measured CPU share is not a number."""


async def test_a_unit_that_measures_nonsense_says_so_once_and_costs_nobody_anything(
    database: str, start_unit: Callable[..., UnitProcess], tmp_path: Path
) -> None:
    build = await asyncio.to_thread(make_build, tmp_path / "build", NONSENSE)
    bad = start_unit(database, name="bad", python=str(build.python), NODE_UNIT_HEARTBEAT_INTERVAL="0.5")
    good = start_unit(database, name="good", NODE_UNIT_HEARTBEAT_INTERVAL="0.5")
    unusable = "select data from event where type = 'UnitSampleUnusable' and unit_address = %s"
    await eventually(lambda: rows(database, unusable, (bad.address,)) != [], within_s=40, what="it says so")
    for address in (bad.address, bad.address, "", "", ""):
        rows(
            database,
            "insert into deployment (package_name, package_version, command, address) "
            "values ('a', '1', 'sleep 1000', %s)",
            (address,),
        )
    sampled = "select count(*) from usage where unit_address = %s"
    before = value(database, sampled, (good.address,))
    await eventually(lambda: value(database, sampled, (good.address,)) > before + 5, within_s=40, what="five more")
    await eventually(lambda: value(database, "select count(*) from deployment where address = ''") == 0, within_s=40)

    assert [row["data"] for row in rows(database, unusable, (bad.address,))] == [
        {"detail": value(database, "select data ->> 'detail' from event where type = 'UnitSampleUnusable'")}
    ]
    assert value(database, sampled, (bad.address,)) == 0
    assert value(database, "select count(*) from lease where epoch is not null and expires_at > now()") == 2
    assert rows(database, "select type from event where type in ('UnitLost', 'UnitLeft')") == []
    running = "select count(distinct deployment_id) from event where type = 'ProcessStarted' and unit_address = %s"
    held = value(database, "select count(*) from deployment where address = %s", (bad.address,))
    assert held >= 2
    await eventually(lambda: value(database, running, (bad.address,)) == held, what="what it holds runs")
    command = [sys.executable, "-P", "-m", "nodeunit", "events", "-d", database, "--type", "UnitSampleUnusable"]
    shown = await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True, check=True, timeout=60)
    assert "nan % of CPU" in shown.stdout
