"""The file system of the logs is frozen: a unit does all that it does otherwise."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.freezable_disk import freezable_disk
from tests.support.rows import rows, value
from tests.support.unit_process import UnitProcess
from tests.support.waiting import eventually

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(180)]

TTL_S = 4.0
CHATTY = "sh -c 'while true; do echo something; sleep 0.01; done'"


def count(database: str, kind: str, deployment: str) -> int:
    return int(
        value(database, "select count(*) from event where type = %s and deployment_id::text = %s", (kind, deployment))
    )


async def test_a_unit_whose_log_disk_is_frozen_does_all_that_it_does_otherwise(
    database: str, start_unit: Callable[..., UnitProcess], tmp_path: Path
) -> None:
    with freezable_disk(tmp_path) as disk:
        unit = start_unit(
            database, NODE_UNIT_LOG_DIR=str(disk.directory), NODE_UNIT_LEASE_TTL=str(TTL_S),
            NODE_UNIT_HEARTBEAT_INTERVAL="0.5", NODE_UNIT_STOP_GRACE="1",
        )  # fmt: skip
        chatty, disabled, failing = [
            str(
                value(
                    database,
                    "insert into deployment (package_name, package_version, command, on_disconnect) "
                    "values ('a', '1', %s, %s) returning id",
                    (command, on_disconnect),
                )
            )
            for command, on_disconnect in ((CHATTY, "stop"), (CHATTY, "keep"), ("sh -c 'sleep 2; exit 3'", "keep"))
        ]
        running = "select count(distinct deployment_id) from event where type = 'ProcessStarted'"
        await eventually(lambda: value(database, running) == 3, within_s=40, what="all run")
        log = disk.directory / unit.address[:8] / f"{chatty}.log"
        await eventually(lambda: log.exists() and log.stat().st_size > 0, what="the programs' output is written")

        await asyncio.to_thread(disk.freeze)
        frozen_at = value(database, "select clock_timestamp()")
        started = count(database, "ProcessStarted", failing)
        rows(database, "update deployment set enabled = false where id = %s", (disabled,))
        await eventually(lambda: count(database, "ProcessExited", disabled) == 1, within_s=30, what="it is stopped")
        await eventually(lambda: count(database, "ProcessStarted", failing) > started, within_s=30, what="a restart")
        longer = "select clock_timestamp() - %s > make_interval(secs => %s)"
        await eventually(lambda: value(database, longer, (frozen_at, 2 * TTL_S)), within_s=30)
        assert count(database, "ProcessExited", chatty) == 0
        assert value(database, "select count(*) from event where type in ('UnitLost', 'UnitSupervisorSilent')") == 0
        assert value(database, "select expires_at > clock_timestamp() from lease where epoch is not null")

        unit.terminate()
        await eventually(lambda: value(database, "select membership from unit") == "left", within_s=40, what="it left")
        await asyncio.to_thread(disk.thaw)
        assert await asyncio.to_thread(unit.wait) == 0
