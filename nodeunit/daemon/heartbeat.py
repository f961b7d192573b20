"""The heartbeat: one statement every interval, which renews the lease and brings the answer everybody else acts on.

Only the database's clock decides about leases. How long ours is good for is counted from the moment the heartbeat was
sent, so that the unit's idea of the end is never later than the database's.
"""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable
from uuid import UUID

from nodeunit.clock import boottime
from nodeunit.daemon.reconciler import Reconciler
from nodeunit.errors import DatabaseError
from nodeunit.process.sampler import Sampler
from nodeunit.store.write.membership import HeartbeatAnswer, Membership, ProgramSample

log = logging.getLogger(__name__)

AGAIN_AFTER_S = 0.5
"""A heartbeat that failed is repeated after so long: the lease goes on running out."""

SOON_AFTER_S = 0.03
"""A lease that will have run out before our next turn is looked at so long after its end, and a little staggered:
whoever is lost is found at once, and in a healthy fleet, where no lease comes near its end, nothing is asked for it."""

SETTLES_AFTER_S = 1.0
"""What just started is sampled so soon again, out of turn: then its claim is no reservation any more."""


class Heartbeat:
    """Runs until cancelled. `on_answer` gets each answer and the moment (CLOCK_BOOTTIME) its question was sent."""

    def __init__(
        self,
        unit: Membership,
        interval_s: float,
        sampler: Sampler,
        reconciler: Reconciler,
        on_answer: Callable[[HeartbeatAnswer, float], Awaitable[None]],
    ) -> None:
        self.soon = asyncio.Event()
        """Set to be told the state at once."""
        self._unit = unit
        self._interval_s = interval_s
        self._sampler = sampler
        self._reconciler = reconciler
        self._on_answer = on_answer
        self._measured = False
        self._pause_s = interval_s

    async def run(self) -> None:
        """Beats: at once, again as soon as the unit can be measured, then after a random part of the interval, so that
        the sends of many units are staggered, and then every interval.
        """
        await self._beat()
        await asyncio.sleep(min(SETTLES_AFTER_S, self._interval_s))
        await self._beat()
        self._pause_s = min(self._interval_s * random.random(), self._pause_s)
        while True:
            await self._pause(self._pause_s)
            await self._beat()

    async def _pause(self, pause_s: float) -> None:
        """Waits for the next beat: its turn, a program that has started and settled, or a call for it."""
        started = asyncio.ensure_future(self._reconciler.started.wait())
        soon = asyncio.ensure_future(self.soon.wait())
        try:
            await asyncio.wait((started, soon), timeout=pause_s, return_when=asyncio.FIRST_COMPLETED)
            if self._reconciler.started.is_set():
                self._reconciler.started.clear()
                await asyncio.wait((soon,), timeout=min(SETTLES_AFTER_S, self._interval_s))
            self.soon.clear()
        finally:
            started.cancel()
            soon.cancel()

    async def _beat(self) -> None:
        sample = await asyncio.to_thread(self._sampler.sample, self._reconciler.processes())
        samples = [
            ProgramSample(UUID(key), claim_version, used.cpu_percent, used.memory_mb)
            for key, used in sample.programs.items()
            if (claim_version := self._reconciler.claim_version(key)) is not None
        ]
        # The first reading has no CPU share: the unit is not measured yet, which is not the same as idle.
        measured = sample.unit if self._measured else None
        self._measured = True
        sent_at = boottime()
        try:
            answer = await self._unit.heartbeat(measured, samples)
        except DatabaseError as error:
            log.warning("no heartbeat: %s", error)
            self._pause_s = min(AGAIN_AFTER_S, self._interval_s)
            return
        self._pause_s = self._interval_s
        if answer.expires_s is not None:
            self._pause_s = min(self._interval_s, answer.expires_s + SOON_AFTER_S * random.uniform(1, 2))
        await self._on_answer(answer, sent_at)
