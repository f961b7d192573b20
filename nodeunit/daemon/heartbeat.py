"""The heartbeat: one statement per interval that renews the lease; the other modules act on its answer.

Only the database's clock decides about leases. The unit counts its own lease from the time at which the heartbeat was
sent, so that it never expects a later end than the database.
"""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable
from uuid import UUID

from nodeunit.clock import boottime
from nodeunit.daemon.disk_sampler import DiskSampler
from nodeunit.daemon.reconciler import Reconciler
from nodeunit.domain.policy import Usage
from nodeunit.errors import DatabaseError
from nodeunit.process.sampler import Sampler
from nodeunit.store.write.membership import DiskSample, HeartbeatAnswer, Membership, ProgramSample

log = logging.getLogger(__name__)

AGAIN_AFTER_S = 0.5
"""The pause after a failed heartbeat is short, because the lease continues to run out."""

SOON_AFTER_S = 0.03
"""If the lease of another unit ends before the next heartbeat is due, the heartbeat is sent this long after that end,
slightly staggered. A lost unit is found at once; in a healthy fleet, where no lease comes near its end, this costs
nothing."""

LARGEST = 1e15
"""No usage is larger; the function `measure` of the database takes no larger number either."""

SETTLES_AFTER_S = 1.0
"""A program that has just started is sampled after this pause, so that its claim is no longer a reservation."""


class Heartbeat:
    """Runs until cancelled. `on_answer` gets each answer, and when (CLOCK_BOOTTIME) its heartbeat was sent.
    `on_unusable` is called once for a measurement that is not a usage.
    """

    def __init__(
        self,
        unit: Membership,
        interval_s: float,
        sampler: Sampler,
        disk: DiskSampler,
        reconciler: Reconciler,
        on_answer: Callable[[HeartbeatAnswer, float], Awaitable[None]],
        on_unusable: Callable[[str], None],
    ) -> None:
        self.soon = asyncio.Event()
        """Set to send a heartbeat at once."""
        self._unit = unit
        self._interval_s = interval_s
        self._sampler = sampler
        self._disk = disk
        self._reconciler = reconciler
        self._on_answer = on_answer
        self._on_unusable = on_unusable
        self._said_unusable = False
        self._measured = False
        self._aside = False
        self._said_aside: asyncio.Future[None] | None = None
        self._pause_s = interval_s

    async def run(self) -> None:
        """Sends a heartbeat at once, another as soon as the unit can be measured, one after a random part of the
        interval, which staggers the units, and then one every interval.
        """
        await self._beat()
        await asyncio.sleep(min(SETTLES_AFTER_S, self._interval_s))
        await self._beat()
        self._pause_s = min(self._interval_s * random.random(), self._pause_s)
        while True:
            await self._pause(self._pause_s)
            await self._beat()

    def stand_aside(self, aside: bool) -> "asyncio.Future[None]":
        """From now on heartbeats say whether the unit takes part in rounds. The future is done when one has."""
        self._aside = aside
        self._said_aside = asyncio.get_running_loop().create_future()
        self.soon.set()
        return self._said_aside

    async def _pause(self, pause_s: float) -> None:
        """Waits until the next heartbeat is due, a program has started and settled, or `soon` is set."""
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
        sizes = self._disk.take() if self._measured else None
        logs = sizes.logs if sizes is not None else {}
        disk = DiskSample(sum(logs.values()), sizes.installs) if sizes is not None else None
        samples = [
            ProgramSample(UUID(key), claim_version, used.cpu_percent, used.memory_mb, logs.get(key))
            for key, used in sample.programs.items()
            if (claim_version := self._reconciler.claim_version(key)) is not None and self._usable(key, used)
        ]
        # The first sample has no CPU share: the unit is not measured yet, which is not the same as idle.
        measured = sample.unit if self._measured and self._usable("the unit", sample.unit) else None
        self._measured = True
        sent_at = boottime()
        try:
            aside, said = self._aside, self._said_aside
            answer = await self._unit.heartbeat(measured, samples, disk=disk, takes_part=not aside)
        except DatabaseError as error:
            log.warning("no heartbeat: %s", error)
            self._pause_s = min(AGAIN_AFTER_S, self._interval_s)
            return
        if said is not None and not said.done():
            said.set_result(None)
        self._pause_s = self._interval_s
        if answer.expires_s is not None:
            self._pause_s = min(self._interval_s, answer.expires_s + SOON_AFTER_S * random.uniform(1, 2))
        await self._on_answer(answer, sent_at)

    def _usable(self, what: str, used: Usage) -> bool:
        """Whether a measurement can be compared and summed. One that cannot is left out, which is said once."""
        if 0 <= used.cpu_percent <= LARGEST and 0 <= used.memory_mb <= LARGEST:
            return True
        if not self._said_unusable:
            self._said_unusable = True
            self._on_unusable(f"{what}: {used.cpu_percent} % of CPU, {used.memory_mb} MiB")
        return False
