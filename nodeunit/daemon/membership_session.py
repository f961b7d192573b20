"""The tasks of a unit in one epoch. They end together, when the unit is fenced or must end."""

import asyncio
import logging
import os
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any

from nodeunit.daemon.chunks_ahead import keep_chunks_ahead
from nodeunit.daemon.disk_sampler import DiskSampler
from nodeunit.daemon.drain import leave, leave_after_supervisor, leave_without_supervisor, move_away
from nodeunit.daemon.end_reason import EndReason, EndRequest
from nodeunit.daemon.exhaustion import Exhaustion
from nodeunit.daemon.heartbeat import Heartbeat
from nodeunit.daemon.log_server import LogServer
from nodeunit.daemon.outbox import Outbox
from nodeunit.daemon.reconciler import Reconciler
from nodeunit.daemon.scheduler import Scheduler
from nodeunit.daemon.supervisor_link import SupervisorLink
from nodeunit.daemon.supervisor_watch import SILENT_S, SupervisorSilent, SupervisorWatch
from nodeunit.daemon.task_group import RecancellingTaskGroup
from nodeunit.daemon.wake_up_pace import WakeUpPace
from nodeunit.domain.can_run import Ability
from nodeunit.domain.events import UnitListenerDeaf, UnitSampleUnusable, UnitSupervisorSilent
from nodeunit.errors import DatabaseError, StaleEpoch
from nodeunit.process.leftovers import end_leftovers
from nodeunit.process.sampler import Sampler
from nodeunit.settings import Settings
from nodeunit.store.postgres.listener import Listener, WakeUp
from nodeunit.store.write.decisions import DecisionStream
from nodeunit.store.write.membership import HeartbeatAnswer, Membership

log = logging.getLogger(__name__)

LEFTOVERS_WITHIN_S = 10.0

SAY_WITHIN_S = 3.0

LAST_LINES_WITHIN_S = 2.0
"""How long a unit that leaves waits for those who read the logs of its programs."""


class MembershipSession:
    """A unit from joining until it leaves or is fenced."""

    def __init__(
        self,
        unit: Membership,
        settings: Settings,
        ability: Ability,
        sampler: Sampler,
        disk: DiskSampler,
        link: SupervisorLink,
        supervisor: SupervisorWatch,
        reconciler: Reconciler,
        outbox: Outbox,
        watch_offers: Callable[[], Coroutine[Any, Any, None]],
    ) -> None:
        """`watch_offers` ends the session, by what it raises, when the unit has to join again with other offers."""
        self._unit = unit
        self._settings = settings
        self._link = link
        self._supervisor = supervisor
        self._reconciler = reconciler
        self._outbox = outbox
        self._watch_offers = watch_offers
        self._decisions = DecisionStream(unit)
        self._pace = WakeUpPace(unit.address, self._on_wake_up)
        self._scheduler = Scheduler(unit, ability, self._decisions, reconciler, self._pace.give_back)
        self._listener = Listener(settings.postgres_uri, self._pace.hear)
        self._heartbeat = Heartbeat(
            unit, settings.heartbeat_interval_s, sampler, disk, reconciler, self._on_answer,
            lambda detail: outbox.put(UnitSampleUnusable(detail)),
        )  # fmt: skip
        self._logs = LogServer(unit, os.path.join(settings.log_directory, unit.address[:8]))
        self._exhaustion = Exhaustion(unit, reconciler, outbox, self._heartbeat.stand_aside)
        self._moving: asyncio.Task[None] | None = None
        self._declaring: asyncio.Task[None] | None = None
        self._tasks = RecancellingTaskGroup()
        self._leaving = False

    async def run(self, joined_at: float, request: EndRequest) -> None:
        """Works until the end is requested, then ends accordingly. Raises StaleEpoch, in a group, when fenced.

        The first lease counts from `joined_at` (CLOCK_BOOTTIME), when the join was sent.
        """
        self._reconciler.invalidate()
        self._renew_lease(joined_at)
        async with self._tasks as tasks:
            claiming = tasks.start(self._scheduler.run())
            tasks.start(self._heartbeat.run())
            tasks.start(self._listener.run())
            tasks.start(self._reconciler.run(self._unit.programs))
            tasks.start(self._outbox.run(self._decisions))
            tasks.start(self._watch_supervisor())
            tasks.start(self._exhaustion.run())
            tasks.start(self._logs.run())
            tasks.start(keep_chunks_ahead(self._unit.pool))
            watching = tasks.start(self._watch_offers())

            async def end(reason: EndReason) -> None:
                claiming.cancel()
                watching.cancel()
                if self._moving is not None:
                    self._moving.cancel()
                # From now on a fenced heartbeat says nothing new: this unit may have left a moment ago, and if another
                # declared it lost, its own next write says so.
                self._leaving = reason is not EndReason.REPLACE
                await self._end(reason)
                if self._leaving:
                    await self._logs.finish(LAST_LINES_WITHIN_S)

            try:
                await request.carry_out(end)
            finally:
                self._pace.stop()
            tasks.cancel_all()

    def _on_wake_up(self, wake_up: WakeUp) -> None:
        if wake_up.what in ("logs", "connected", "unknown") and wake_up.concerns(self._unit.address):
            self._logs.look()
        if wake_up.what == "logs":
            return
        self._scheduler.on_wake_up(wake_up)
        if wake_up.what == "unit" and wake_up.concerns(self._unit.address):
            self._heartbeat.soon.set()
        if wake_up.what not in ("eligible", "unit"):
            self._reconciler.refresh()

    async def _on_answer(self, answer: HeartbeatAnswer, sent_at: float) -> None:
        if self._leaving and answer.fenced:
            return
        if answer.fenced:
            raise StaleEpoch(f"epoch {self._unit.epoch} of unit {self._unit.address} is over")
        self._renew_lease(sent_at)
        if missed := self._listener.check_deafness(answer.wake_up):
            self._outbox.put(UnitListenerDeaf(missed))
        if answer.expired and (self._declaring is None or self._declaring.done()):
            # In a separate task, because no heartbeat may wait for it. The next heartbeat names the remaining units.
            self._declaring = self._tasks.start(self._declare_lost(answer.expired))
        if answer.drain_s is None and self._moving is not None:
            self._moving.cancel()  # uncordoned; repeated with each answer, because psycopg may lose a cancellation
        if answer.drain_s is not None and self._moving is None:
            self._moving = self._tasks.start(self._move_away(answer.drain_s))
        if answer.waiting:
            self._scheduler.on_work_waiting(answer.wake_up)

    def _renew_lease(self, sent_at: float) -> None:
        deadline = sent_at + self._unit.lease_ttl_s
        self._link.send({"op": "lease", "expires_boottime": deadline})
        self._reconciler.renew_lease(deadline, self._unit.lease_ttl_s)

    async def _declare_lost(self, addresses: list[str]) -> None:
        try:
            if lost := await self._unit.declare_lost(addresses):
                log.warning("declared lost, because the lease has expired: %s", ", ".join(lost))
                self._scheduler.notify("unit_lost")
        except DatabaseError as error:
            log.warning("cannot declare %s lost yet: %s", ", ".join(addresses), error)

    async def _watch_supervisor(self) -> None:
        try:
            await self._supervisor.run()
        except SupervisorSilent as silence:
            # Recorded while the lease is still good, because the other units next see it expire.
            with suppress(DatabaseError, TimeoutError):
                await asyncio.wait_for(self._decisions.append(UnitSupervisorSilent(SILENT_S)), SAY_WITHIN_S)
            raise silence

    async def _move_away(self, within_s: float) -> None:
        try:
            await move_away(self._unit, self._reconciler, within_s)
        except DatabaseError as error:
            log.warning("moving rows away is interrupted: %s", error)
        finally:
            self._moving = None

    async def _end(self, reason: EndReason) -> None:
        if reason is EndReason.REPLACE:
            log.info("making room for a new daemon")
            return
        try:
            if reason is EndReason.SUPERVISOR_DIED:
                left = await asyncio.to_thread(end_leftovers, self._unit.address, LEFTOVERS_WITHIN_S)
                await leave_without_supervisor(self._unit, self._reconciler, self._outbox, left)
            elif reason is EndReason.SUPERVISOR_ENDED:
                await leave_after_supervisor(self._unit, self._reconciler, self._outbox)
            else:
                await leave(self._unit, self._reconciler, self._outbox)
        except DatabaseError as error:
            log.warning("could not leave normally (%s): the lease expires", error)
        self._link.send({"op": "leave"})
