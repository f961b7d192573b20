"""Programs that end as soon as they are started: it is said once, they are tried for ever, and nothing else suffers."""

import asyncio
import re
from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest
from psycopg.types.json import Jsonb

from tests.support.restarting_unit import RULE
from tests.support.rows import rows, value
from tests.support.unit_process import UnitProcess
from tests.support.waiting import eventually

pytestmark = pytest.mark.e2e

CRASHING = 100
ENDS = 10


@pytest.mark.timeout(180)
async def test_many_crash_loops_cost_nobody_anything(database: str, start_unit: Callable[..., UnitProcess]) -> None:
    """Each row allows nine restarts in a row, so that it is known how often they end."""
    unit = start_unit(database, module="tests.support.restarting_unit")
    rows(
        database,
        "insert into deployment (package_name, package_version, command, on_disconnect) "
        "values ('a', '1', 'sleep 1000', 'stop')",
    )
    running = await eventually(
        lambda: value(database, "select max(data ->> 'pid') from event where type = 'ProcessStarted'"),
        within_s=30,
        what="the program runs that must stop with its lease",
    )
    rows(
        database,
        "insert into deployment (package_name, package_version, command, restart_limit) "
        "select 'a', '1', 'false', %s from generate_series(1, %s)",
        (ENDS - 1, CRASHING),
    )

    def count(kind: str) -> int:
        return int(value(database, "select count(*) from event where type = %s", (kind,)))

    await eventually(lambda: count("ProcessParked") == CRASHING, within_s=120, what="all are parked")
    assert count("UnitLost") == 0
    assert count("ProcessExited") == CRASHING * ENDS
    assert count("ProcessCrashLooping") == CRASHING
    for kind in ("ProcessParked", "ProcessCrashLooping"):
        assert value(database, "select count(distinct deployment_id) from event where type = %s", (kind,)) == CRASHING
    assert value(database, "select membership from unit") == "present"
    assert [process.pid for process in unit.descendants() if process.name() == "sleep"] == [int(running)]

    unit.terminate()
    assert await asyncio.to_thread(unit.wait) == 0
    (reconciles,) = re.findall(r"^reconciles: (\d+)$", unit.log, re.MULTILINE)
    assert int(reconciles) < 2 * CRASHING * ENDS + 500, (
        "an exit and a restart each, and besides those only claims, releases, notifications and heartbeats"
    )


async def test_what_needs_something_that_is_away_comes_back_with_it(
    database: str, start_unit: Callable[..., UnitProcess], tmp_path_factory: pytest.TempPathFactory
) -> None:
    """However long that takes: no number of failures parks a row that does not ask for it."""
    dependency = tmp_path_factory.mktemp("dependency") / "dependency"
    start_unit(database, module="tests.support.restarting_unit")
    rows(
        database,
        "insert into deployment (package_name, package_version, command) values ('a', '1', %s)",
        (f"sh -c 'cat {dependency} && exec sleep 1000'",),
    )

    def logged(kind: str) -> list[dict[str, object]]:
        return rows(database, "select data from event where type = %s", (kind,))

    await eventually(
        lambda: len(logged("ProcessExited")) > 4 * RULE.crash_loop_at, within_s=60, what="it fails and fails"
    )
    ((said,),) = [row.values() for row in logged("ProcessCrashLooping")]
    assert isinstance(said, dict)
    assert (said["failures"], said["exit_code"], said["signal"]) == (RULE.crash_loop_at, 1, None)
    assert said["last_lines"][-1].endswith("No such file or directory")
    assert logged("ProcessParked") == []

    dependency.write_text("")
    newest = "select type from event where type in ('ProcessStarted', 'ProcessExited') order by position desc limit 1"
    await eventually(lambda: value(database, newest) == "ProcessStarted", within_s=30, what="it runs")


async def test_a_command_that_no_directory_has_is_parked_until_the_row_is_restarted(
    database: str, start_unit: Callable[..., UnitProcess], tmp_path_factory: pytest.TempPathFactory
) -> None:
    here, elsewhere = tmp_path_factory.mktemp("bin"), tmp_path_factory.mktemp("mount") / "not" / "mounted"
    unit = start_unit(database)
    by_name, by_path = (
        row["id"]
        for row in rows(
            database,
            "insert into deployment (package_name, package_version, command, env) "
            "select 'a', '1', command, %s from unnest(%s::text[]) command returning id",
            (Jsonb({"PATH": f"{here}:/usr/bin:/bin"}), ["comes-later 1000", f"{elsewhere} 1000"]),
        )
    )

    def logged(row: UUID, kind: str) -> list[dict[str, Any]]:
        said = rows(database, "select data from event where type = %s and deployment_id = %s", (kind, row))
        return [event["data"] for event in said]

    await eventually(lambda: len(logged(by_path, "ProcessExited")) > 2, within_s=30, what="a path is tried again")
    (parked,) = logged(by_name, "ProcessParked")
    assert parked["reason"] == "no_such_command"
    assert "cannot run comes-later: no directory of PATH has a program of this name" in parked["detail"]

    (daemon,) = (process for process in unit.descendants() if "nodeunit.daemon" in process.cmdline())
    daemon.kill()
    tried = len(logged(by_path, "ProcessExited"))
    await eventually(lambda: len(logged(by_path, "ProcessExited")) > tried, within_s=30, what="the next daemon tries")
    assert (len(logged(by_name, "ProcessExited")), len(logged(by_name, "ProcessParked"))) == (1, 1)
    assert logged(by_path, "ProcessParked") == []

    (here / "comes-later").symlink_to("/bin/sleep")
    rows(database, "update deployment set updated_at = now() where id = %s", (by_name,))
    await eventually(lambda: logged(by_name, "ProcessStarted"), what="it runs")
