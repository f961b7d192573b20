"""Leaving in order: claim nothing more, stop each program, give its row back, wake who can take it, leave."""

import asyncio
import logging

from nodeunit.domain.round import wake_ups
from nodeunit.errors import NodeunitError
from nodeunit.store import decisions, membership
from nodeunit.store.connections import Pool
from nodeunit.store.membership import Membership
from nodeunit.unit.journal import Journal
from nodeunit.unit.runner import Runner

log = logging.getLogger(__name__)


async def drain(pool: Pool, unit: Membership, runner: Runner, journal: Journal) -> None:
    """Gives everything back and leaves the fleet. A row is released only when its program is dead."""
    await membership.begin_draining(pool, unit)
    keys = runner.held()
    log.info("draining: %d programs to stop", len(keys))
    async with asyncio.TaskGroup() as stopping:
        for key in keys:
            stopping.create_task(_give_back(pool, unit, runner, key))
    await journal.empty()
    await membership.leave(pool, unit)
    await _wake_successors(pool, unit)


async def _give_back(pool: Pool, unit: Membership, runner: Runner, key: str) -> None:
    deployment = await runner.give_back(key)
    if deployment is None:
        return
    try:
        if await decisions.release(pool, unit, deployment, "drained"):
            await _wake_successors(pool, unit)
    except NodeunitError as error:
        log.warning("%s could not be released (%s); it is taken over when this unit has left", key, error)


async def _wake_successors(pool: Pool, unit: Membership) -> None:
    now = await decisions.round_inputs(pool, [], 1)
    if others := wake_ups(unit.address, None, now):
        await membership.wake(pool, "eligible", others)
