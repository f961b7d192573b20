"""A unit that lacks descriptors, memory, processes or disk releases what it cannot start, and stands aside.

    works ──a start fails for a lack──> aside: claims nothing, releases what it cannot start
      └────────────────────────────────────────── a trial succeeds ──────────────────────────┘

A start that fails because the unit lacks something says nothing about the program, so it does not count as its failure.
While the unit stands aside, its heartbeats say that it is inactive, so that the others do not wait for its claims.
Running programs continue.
"""

import asyncio
import logging
from collections.abc import Callable

from nodeunit.daemon.drain import give_back
from nodeunit.daemon.outbox import Outbox
from nodeunit.daemon.reconciler import Reconciler
from nodeunit.domain.events import UnitExhausted, UnitRecovered
from nodeunit.store.write.membership import Membership

log = logging.getLogger(__name__)

FIRST_TRIAL_S = 5.0
LAST_TRIAL_S = 60.0
"""Trials are made after growing pauses, because each failed trial uses what the machine lacks."""


class Exhaustion:
    """`stand_aside` makes the heartbeats say that the unit is inactive, and returns when one has."""

    def __init__(
        self,
        unit: Membership,
        reconciler: Reconciler,
        outbox: Outbox,
        stand_aside: Callable[[bool], "asyncio.Future[None]"],
    ) -> None:
        self._unit = unit
        self._reconciler = reconciler
        self._outbox = outbox
        self._stand_aside = stand_aside

    async def run(self) -> None:
        """Watches until cancelled."""
        while True:
            await self._reconciler.unable.wait()
            lacks, detail = self._reconciler.lack
            log.error("this unit lacks %s (%s): it claims nothing and releases what it cannot start", lacks, detail)
            self._outbox.put(UnitExhausted(lacks, detail))
            await self._stand_aside(True)
            await self._until_a_trial_succeeds()
            log.warning("this unit no longer lacks %s", lacks)
            self._outbox.put(UnitRecovered(lacks))
            await self._stand_aside(False)

    async def _until_a_trial_succeeds(self) -> None:
        pause_s = FIRST_TRIAL_S
        while True:
            await give_back(self._unit, self._reconciler, self._reconciler.take_unable())
            unable = asyncio.ensure_future(self._reconciler.unable.wait())
            await asyncio.wait((unable,), timeout=pause_s)
            unable.cancel()
            if self._reconciler.unable.is_set():
                continue
            if not await self._reconciler.try_a_start():
                return
            pause_s = min(pause_s * 2, LAST_TRIAL_S)
