"""Claim rounds. A notification starts a series of rounds, which continues as long as this unit claims.

A claim carries no notification. After its commit the claimant reads the new state, which its next round needs anyway,
and wakes exactly the units that would claim now and would not have before. The last one to commit sees the full state,
so no wake-up is lost. If a claimant dies in between, the answers to heartbeats say that work waits.
"""

import asyncio
import logging
from uuid import UUID

from nodeunit.clock import boottime
from nodeunit.daemon.reconciler import Reconciler
from nodeunit.daemon.suspicion import Suspicion
from nodeunit.domain import claim_round
from nodeunit.domain.can_run import Ability, Needs, can_run
from nodeunit.domain.claim_round import Decision, RoundInputs
from nodeunit.domain.event import Event
from nodeunit.domain.policy import Candidate
from nodeunit.errors import DatabaseError
from nodeunit.store.postgres.listener import WakeUp
from nodeunit.store.write.decisions import DecisionStream
from nodeunit.store.write.membership import Membership

log = logging.getLogger(__name__)

FIRST_CANDIDATES = 64
"""The number of the oldest rows that the first round reads; later rounds know how many units there are."""

SPARE_CANDIDATES = 4
"""Besides one row per unit, a round reads a few more, because some rows can run only on some units."""

LOOK_AGAIN_AFTER_S = 30.0
"""Rows that no unit can run are looked at again so often, in case that a notification was lost."""

TARGETED_WAKE_UPS = ("eligible", "unit", "unit_lost", "overdue")
"""Wake-ups that not every unit gets. A unit that is not eligible passes them on to those that are."""


class Scheduler:
    """Runs until cancelled. Notifications that come during a series of rounds coalesce into one more series."""

    def __init__(self, unit: Membership, ability: Ability, decisions: DecisionStream, reconciler: Reconciler) -> None:
        self._unit = unit
        self._ability = ability
        self._decisions = decisions
        self._reconciler = reconciler
        self._abilities: set[Ability] = set()
        self._refused: set[Needs] = set()  # what none of these can run
        self._reasons: list[str] = []
        self._notified = asyncio.Event()
        self._last_inputs: RoundInputs | None = None
        self._recorded_rows: frozenset[UUID] = frozenset()
        self._heard = 0
        self._nothing_to_run_at: int | None = None
        self._look_again_at = 0.0
        self._suspicion = Suspicion(unit, lambda: self._read_inputs(set()), lambda: self.notify("overdue"))

    def notify(self, reason: str) -> None:
        """Requests rounds. The reason `heartbeat` counts only if there is no other."""
        self._reasons.append(reason)
        self._notified.set()

    def on_work_waiting(self, wake_up: int) -> None:
        """A heartbeat answers that rows wait, and the number of the newest notification. When no unit could run what
        waited, and nothing was notified since, it is the same rows still; they are looked at seldom.
        """
        if wake_up == self._nothing_to_run_at and boottime() < self._look_again_at:
            return
        self._heard = wake_up
        self.notify("heartbeat")

    def on_wake_up(self, wake_up: WakeUp) -> None:
        """A notification for all units or for some, by address."""
        if wake_up.concerns(self._unit.address):
            self.notify(wake_up.what)

    async def run(self) -> None:
        """Waits and claims. An outage of the database ends the series; its return brings the next notification."""
        try:
            while True:
                await self._notified.wait()
                self._notified.clear()
                reasons = list(dict.fromkeys(self._reasons))
                self._reasons.clear()
                try:
                    await self._run_rounds(next((r for r in reasons if r != "heartbeat"), "heartbeat"))
                except DatabaseError as error:
                    log.warning("claiming is interrupted: %s", error)
                    self._reconciler.refresh()  # the claimed rows may not have been read yet
        finally:
            self._suspicion.stop()

    async def _run_rounds(self, reason: str) -> None:
        claimed = False
        conflicts: set[UUID] = set()
        while True:
            heard = self._heard
            inputs = await self._read_inputs(conflicts)
            # A unit that is inactive for a moment, because a heartbeat is late, sees no row that it could run.
            takes_part = any(unit.address == self._unit.address for unit in inputs.units)
            self._nothing_to_run_at = None if inputs.candidates or conflicts or not takes_part else heard
            self._look_again_at = boottime() + LOOK_AGAIN_AFTER_S
            decision = claim_round.decide(self._unit.address, inputs)
            if claimed or (
                decision.outcome == "skip" and (reason in TARGETED_WAKE_UPS or self._others_expect_a_claim(inputs))
            ):
                await self._notify_eligible(inputs)
            self._last_inputs = inputs
            if decision.outcome == "skip":
                self._suspicion.watch(inputs)
                if claimed:
                    return  # reading the state after a claim is not a round
            if decision.candidate is None:
                await self._skip(reason, inputs, decision)
                return
            claimed = await self._claim(reason, decision, decision.candidate)
            if not claimed:
                conflicts.add(decision.candidate.id)

    async def _read_inputs(self, conflicts: set[UUID]) -> RoundInputs:
        """The state as every unit sees it, without the rows that another unit claimed during this series: a claim in
        progress is not visible yet, and another attempt would only conflict again.

        Rows that no unit can run are read only once. Rows of other units may come before the first of this unit.
        """
        units = len(self._last_inputs.units) if self._last_inputs is not None else FIRST_CANDIDATES
        limit = units + SPARE_CANDIDATES + len(conflicts)
        while True:
            inputs = await self._unit.round_inputs(limit, self._refused)
            abilities = {unit.ability for unit in inputs.units}
            if abilities != self._abilities:
                self._abilities = abilities
                if self._refused:
                    self._refused.clear()
                    continue
            needed = {c.needs for c in inputs.candidates}
            self._refused |= {needs for needs in needed if not any(can_run(one, needs) for one in abilities)}
            mine = any(can_run(self._ability, needs) for needs in needed)
            if mine or len(inputs.candidates) < limit:
                return RoundInputs(
                    inputs.units,
                    tuple(c for c in inputs.candidates if c.id not in conflicts and c.needs not in self._refused),
                )
            limit *= 4

    def _others_expect_a_claim(self, now: RoundInputs) -> bool:
        """Whether units that see the last state of this unit wait for its claim; a sample may have changed that."""
        if self._last_inputs is None:
            return False
        expected = RoundInputs(self._last_inputs.units, now.candidates)
        return claim_round.decide(self._unit.address, expected).outcome == "claim"

    async def _claim(self, reason: str, decision: Decision, candidate: Candidate) -> bool:
        events = (
            claim_round.record(self._unit.address, reason, decision),
            decision.eligibility,
            decision.attempt,
        )
        deployment = await self._decisions.claim(candidate, tuple(e for e in events if e is not None))
        if deployment is None:
            log.info("deployment %s went to another unit", candidate.id)
            return False
        log.info("claimed %s (%s)", deployment.id, candidate.package)
        self._reconciler.adopt(deployment)
        return True

    async def _skip(self, reason: str, inputs: RoundInputs, decision: Decision) -> None:
        """Records the skip, unless a heartbeat only reads what is already recorded."""
        waiting = frozenset(c.id for c in inputs.candidates)
        if reason == "heartbeat" and waiting <= self._recorded_rows:
            return
        self._recorded_rows = waiting
        recorded = claim_round.record(self._unit.address, reason, decision)
        events: tuple[Event | None, ...] = (recorded, decision.eligibility, decision.skipped)
        await self._decisions.append(*(e for e in events if e is not None))

    async def _notify_eligible(self, now: RoundInputs) -> None:
        if others := claim_round.wake_ups(self._unit.address, self._last_inputs, now):
            await self._unit.notify("eligible", others)
