"""Releases rows: all at once when the unit leaves, one by one when an operator drains the unit.

A row is released only when its program is dead, and the units that can take it are notified at once.
"""

import asyncio
import logging

from nodeunit.clock import boottime
from nodeunit.daemon.outbox import Outbox
from nodeunit.daemon.reconciler import Reconciler
from nodeunit.daemon.scheduler import FEWEST_CANDIDATES
from nodeunit.domain.claim_round import wake_ups
from nodeunit.domain.deployment import Deployment
from nodeunit.errors import DatabaseError
from nodeunit.process.leftovers import Leftover
from nodeunit.store.write.membership import Membership

log = logging.getLogger(__name__)

RUNS_WITHIN_S = 3.0
"""How long a drain waits for a row to run elsewhere before it stops the next one."""

POLL_EVERY_S = 0.05

LOCKED_AGAIN_AFTER_S = 0.5
"""How often a drain looks whether a row that another transaction has locked is free; its program runs meanwhile."""


async def leave(unit: Membership, reconciler: Reconciler, outbox: Outbox) -> None:
    """Claims nothing more, stops every program, releases every row and leaves the fleet."""
    reconciler.stop_starting()
    await unit.begin_draining()
    keys = reconciler.known_keys()
    log.info("leaving: %d programs to stop", len(keys))
    async with asyncio.TaskGroup() as stopping:
        for key in keys:
            stopping.create_task(_release(unit, reconciler, key, "drained", None))
    await outbox.wait_until_empty()
    await unit.leave()
    await _notify_eligible(unit)


async def leave_after_supervisor(unit: Membership, reconciler: Reconciler, outbox: Outbox) -> None:
    """As `leave`, when the supervisor has ended all programs and reported that."""
    reconciler.supervisor_ended()
    await unit.begin_draining()
    await _leave_with_nothing_running(unit, outbox, "drained")


async def leave_without_supervisor(
    unit: Membership, reconciler: Reconciler, outbox: Outbox, left: list[Leftover]
) -> None:
    """Records what died with the supervisor, releases every row and leaves the fleet.

    If processes are `left` that cannot be ended, nothing is released: their rows may still run, and the lease expires.
    """
    await unit.record_supervisor_death()
    reconciler.supervisor_died({one.key for one in left})
    if left:
        log.error("processes of this unit cannot be ended: %s", [one.entry.pid for one in left])
        await outbox.wait_until_empty()
        return
    await _leave_with_nothing_running(unit, outbox, "supervisor_died")


async def _leave_with_nothing_running(unit: Membership, outbox: Outbox, reason: str) -> None:
    """By the rows in the database, because a drain that this interrupts has some of them in hand."""
    await outbox.wait_until_empty()
    async with asyncio.TaskGroup() as releasing:
        for row in await unit.programs():
            if row.type == "deployment":
                releasing.create_task(_release_row(unit, row, reason))
    await unit.leave()
    await _notify_eligible(unit)


async def move_away(unit: Membership, reconciler: Reconciler, within_s: float) -> None:
    """Releases the rows one by one, so that each runs elsewhere before the next one stops. The unit stays, cordoned.
    Grace periods are cut so that all rows are moved within `within_s` seconds.
    """
    deadline = boottime() + within_s
    log.info("an operator has asked to move %d rows away within %.0f s", len(reconciler.held_rows()), within_s)
    while keys := reconciler.held_rows():
        # Asked before the program is stopped: as long as its row cannot be released it would only be started again.
        key = await unit.first_unlocked(keys)
        if key is None:
            await asyncio.sleep(LOCKED_AGAIN_AFTER_S)
            continue
        left_s = max(deadline - boottime(), 0.0)
        released = await _release(unit, reconciler, key, "drained", left_s)
        if released is not None:
            await _until_it_runs_elsewhere(unit, released, min(RUNS_WITHIN_S, max(deadline - boottime(), 0.0)))
        else:
            await asyncio.sleep(LOCKED_AGAIN_AFTER_S)
    for row in await unit.disabled_rows():
        # If it were enabled again, it would run on a unit that is to hold nothing.
        await reconciler.begin_release(str(row.id), 0.0)
        try:
            await unit.release(row, "drained")
        finally:
            reconciler.end_release(str(row.id))
    await unit.end_drain()


async def give_back(unit: Membership, reconciler: Reconciler, keys: list[str]) -> None:
    """Releases rows whose programs this unit cannot start, so that others can claim them."""
    for key in keys:
        await _release(unit, reconciler, key, "unit_exhausted", None)


async def _release(
    unit: Membership, reconciler: Reconciler, key: str, reason: str, at_most_s: float | None
) -> Deployment | None:
    """Stops a program and releases its row. Returns the row when it was released."""
    try:
        deployment = await reconciler.begin_release(key, at_most_s)
        return deployment if deployment is not None and await _release_row(unit, deployment, reason) else None
    finally:
        reconciler.end_release(key)


async def _release_row(unit: Membership, row: Deployment, reason: str) -> bool:
    """Releases a row of which nothing runs here. False: it could not be released, or is not held any more."""
    try:
        if await unit.release(row, reason):
            await _notify_eligible(unit)
            return True
    except DatabaseError as error:
        log.warning("%s could not be released (%s); another unit takes it over when this unit has left", row.id, error)
    return False


async def _until_it_runs_elsewhere(unit: Membership, released: Deployment, within_s: float) -> None:
    """Returns after `within_s` at the latest, because a row that no unit claims must not keep the other rows here."""
    give_up_at = boottime() + within_s
    while not await unit.runs_elsewhere(released):
        if boottime() >= give_up_at:
            return
        await asyncio.sleep(POLL_EVERY_S)


async def _notify_eligible(unit: Membership) -> None:
    now = await unit.round_inputs(FEWEST_CANDIDATES)
    if others := wake_ups(unit.address, None, now):
        await unit.notify("eligible", others)
