"""The heartbeat: one statement every interval, and everything the unit learns from its answer.

Only the database's clock decides about leases. The supervisor is told how long ours is good for: counted from the
moment the heartbeat was sent, so that the unit's idea of the end is never later than the database's.
"""

import asyncio
import logging
import random
from collections.abc import Callable
from uuid import UUID

from nodeunit.clock import boottime
from nodeunit.errors import DatabaseError, StaleEpoch
from nodeunit.process.sampler import Sampler
from nodeunit.store import membership
from nodeunit.store.connections import Pool
from nodeunit.store.listener import Listener
from nodeunit.store.membership import HeartbeatAnswer, Membership, ProgramSample
from nodeunit.unit.runner import Runner
from nodeunit.unit.scheduler import Scheduler

log = logging.getLogger(__name__)

SETTLES_AFTER_S = 1.0
"""A program that just started is sampled so soon again, out of turn: then its claim is no reservation any more."""


class Heartbeat:
    """Runs until cancelled. Raises StaleEpoch when the unit is fenced."""

    def __init__(
        self,
        pool: Pool,
        unit: Membership,
        interval_s: float,
        sampler: Sampler,
        runner: Runner,
        scheduler: Scheduler,
        listener: Listener,
        on_lease: Callable[[float], None],
        on_deaf: Callable[[int], None],
    ) -> None:
        self._pool = pool
        self._unit = unit
        self._interval_s = interval_s
        self._sampler = sampler
        self._runner = runner
        self._scheduler = scheduler
        self._listener = listener
        self._on_lease = on_lease
        self._on_deaf = on_deaf
        self._measured = False

    async def run(self) -> None:
        """Beats: at once, again as soon as the unit can be measured, then after a random part of the interval, so that
        the sends of many units are staggered, and then every interval.
        """
        await self._beat()
        await asyncio.sleep(min(SETTLES_AFTER_S, self._interval_s))
        await self._beat()
        stagger = random.random()
        while True:
            try:
                async with asyncio.timeout(self._interval_s * stagger):
                    await self._runner.started.wait()
                self._runner.started.clear()
                await asyncio.sleep(min(SETTLES_AFTER_S, self._interval_s))
            except TimeoutError:
                pass
            stagger = 1.0
            await self._beat()

    async def _beat(self) -> None:
        sample = await asyncio.to_thread(self._sampler.sample, self._runner.processes())
        samples = [
            ProgramSample(UUID(key), self._runner.claim_version(key), used.cpu_percent, used.memory_mb)
            for key, used in sample.programs.items()
            if key in self._runner.processes()
        ]
        # The first reading has no CPU share: the unit is not measured yet, which is not the same as idle.
        measured = sample.unit if self._measured else None
        self._measured = True
        sent_at = boottime()
        try:
            answer = await membership.heartbeat(self._pool, self._unit, measured, samples)
        except DatabaseError as error:
            log.warning("no heartbeat: %s", error)
            return
        if answer.fenced:
            raise StaleEpoch(f"unit {self._unit.address} was declared lost, or succeeded, in epoch {self._unit.epoch}")
        self._on_lease(sent_at + self._unit.lease_ttl_s)
        await self._act_on(answer)

    async def _act_on(self, answer: HeartbeatAnswer) -> None:
        if missed := self._listener.hear_of(answer.wake_up):
            self._on_deaf(missed)
        for address in answer.expired:
            try:
                if await membership.declare_lost(self._pool, self._unit, address):
                    log.warning("unit %s is lost: its lease has run out", address)
                    self._scheduler.wake("unit_lost")
            except DatabaseError as error:
                log.warning("cannot declare %s lost yet: %s", address, error)
        if answer.waiting:
            self._scheduler.wake("heartbeat")
