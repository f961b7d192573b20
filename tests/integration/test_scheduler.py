"""When a unit looks for rows to claim, and when it does not."""

import asyncio
from typing import cast

from nodeunit.daemon.outbox import Outbox
from nodeunit.daemon.reconciler import Reconciler
from nodeunit.daemon.scheduler import Scheduler
from nodeunit.daemon.spawn_request import SpawnRequestBuilder
from nodeunit.daemon.supervisor_link import SupervisorLink
from nodeunit.domain.can_run import Ability
from nodeunit.domain.restart import RestartRule
from nodeunit.store.postgres.connections import Pool
from nodeunit.store.write.decisions import DecisionStream
from tests.support.members import join
from tests.support.rows import deployment, insert_deployments, rows, value
from tests.support.waiting import eventually


async def test_a_unit_that_was_inactive_for_a_moment_claims_with_its_next_heartbeat(database: str, pool: Pool) -> None:
    unit = await join(pool, "unit-1")
    (row,) = insert_deployments(database)
    rows(database, "update lease set inactive_at = renewed_at")  # as after a late heartbeat
    ability = Ability("^@yuants/", custom_command=False, runtimes=("npm", "python"))
    spawn_requests = SpawnRequestBuilder("unit-1", ability, grace_s=1.0)
    reconciler = Reconciler(cast(SupervisorLink, None), Outbox(), spawn_requests, RestartRule())  # which sends nothing
    scheduler = Scheduler(unit, ability, DecisionStream(unit), reconciler)
    running = asyncio.create_task(scheduler.run())
    skips = "select count(*) from event where type = 'DeploymentClaimSkipped'"
    scheduler.on_work_waiting(1)
    scheduler.notify("connected")  # a round whose skip is recorded
    await eventually(lambda: value(database, skips) == 1, what="a round that the unit takes no part in")
    answer = await unit.heartbeat(None, [])
    assert answer.waiting

    scheduler.on_work_waiting(1)
    await eventually(lambda: deployment(database, row)["address"] == "unit-1", what="it claims")
    running.cancel()
    await asyncio.wait([running])
