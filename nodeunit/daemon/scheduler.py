"""Claim rounds. A notification starts a series of looks, which continues as long as this unit claims.

From one look the unit plays the next rounds forward and claims all of its own rows of them in one transaction
(`domain.forward_play`). A claim carries no notification. After its commit the claimant looks again and wakes exactly
the units that would claim now and would not have before. The last one to commit sees the full state, so no wake-up is
lost. If a claimant dies in between, the answers to heartbeats say that work waits.
"""

import asyncio
import logging
from collections.abc import Callable, Collection
from uuid import UUID

from nodeunit.clock import boottime
from nodeunit.daemon.reconciler import Reconciler
from nodeunit.daemon.suspicion import Suspicion
from nodeunit.domain import claim_round, forward_play
from nodeunit.domain.can_run import Ability, Needs, can_run
from nodeunit.domain.claim_round import Decision, RoundInputs
from nodeunit.domain.event import Event
from nodeunit.domain.forward_play import Forecast
from nodeunit.errors import DatabaseError
from nodeunit.store.postgres.listener import WakeUp
from nodeunit.store.write.decisions import Claim, DecisionStream
from nodeunit.store.write.membership import Membership

log = logging.getLogger(__name__)

FEWEST_CLAIMS, MOST_CLAIMS, ROWS_A_LOOK = 4, 64, 640
"""A unit claims as many rows in one transaction as make `ROWS_A_LOOK` together with those of all others. Who looks late
claims by an old picture, so units may end up to so many rows apart; with fewer a burst would take longer."""

FEWEST_CANDIDATES, MOST_CANDIDATES = 256, 1024
"""How many of the oldest rows a look reads."""

LOOK_AGAIN_AFTER_S = 30.0
"""Rows that no unit can run are looked at again so often, in case that a notification was lost."""

TARGETED_WAKE_UPS = ("eligible", "unit", "unit_lost", "overdue")
"""Wake-ups that not every unit gets. A unit that is not eligible passes them on to those that are."""


class Scheduler:
    """Runs until cancelled. Notifications that come during a series of rounds coalesce into one more series."""

    def __init__(
        self,
        unit: Membership,
        ability: Ability,
        decisions: DecisionStream,
        reconciler: Reconciler,
        on_claimed: Callable[[], None] = lambda: None,
    ) -> None:
        self._unit = unit
        self._ability = ability
        self._decisions = decisions
        self._reconciler = reconciler
        self._on_claimed = on_claimed
        self._abilities: set[Ability] = set()
        self._refused: set[Needs] = set()  # what none of these can run
        self._reasons: list[str] = []
        self._named: frozenset[str] | None = frozenset()  # who was woken too; None: everybody
        self._notified = asyncio.Event()
        self._last_inputs: RoundInputs | None = None
        self._recorded_rows: frozenset[UUID] = frozenset()
        self._heard = 0
        self._nothing_to_run_at: int | None = None
        self._look_again_at = 0.0
        self._suspicion = Suspicion(unit, self._read_inputs_only, lambda: self.notify("overdue"))

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
            self._named = self._named | wake_up.who if self._named is not None and wake_up.who else None
            self.notify(wake_up.what)

    async def run(self) -> None:
        """Waits and claims. An outage of the database ends the series; its return brings the next notification."""
        try:
            while True:
                await self._notified.wait()
                self._notified.clear()
                reasons = list(dict.fromkeys(self._reasons))
                self._reasons.clear()
                named, self._named = self._named, frozenset()
                try:
                    await self._run_rounds(next((r for r in reasons if r != "heartbeat"), "heartbeat"), named)
                except DatabaseError as error:
                    log.warning("claiming is interrupted: %s", error)
                    self._reconciler.refresh()  # the claimed rows may not have been read yet
        finally:
            self._suspicion.stop()

    async def _run_rounds(self, reason: str, named: frozenset[str] | None) -> None:
        """`named`: the units that were woken together with this one, if not all were."""
        claimed = False
        conflicts: set[UUID] = set()
        while True:
            heard = self._heard
            inputs, forecast = await self._read_inputs(conflicts)
            # A unit that is inactive for a moment, because a heartbeat is late, sees no row that it could run.
            takes_part = any(unit.address == self._unit.address for unit in inputs.units)
            self._nothing_to_run_at = None if inputs.candidates or conflicts or not takes_part else heard
            self._look_again_at = boottime() + LOOK_AGAIN_AFTER_S
            decisions = forward_play.play(self._unit.address, inputs, forecast, _claims_at_once(len(inputs.units)))
            if claimed or (not decisions and (reason in TARGETED_WAKE_UPS or self._others_expect_a_claim(inputs))):
                await self._notify_eligible(inputs)
            elif named:
                # Others may come first, and must not wait until this unit has claimed what comes after theirs.
                await self._notify_eligible(inputs, named)
            named = None
            self._last_inputs = inputs
            if not decisions:
                self._suspicion.watch(inputs)
                if not claimed:  # reading the state after a claim is not a round
                    await self._skip(reason, inputs, claim_round.decide(self._unit.address, inputs))
                return
            lost = await self._claim(reason, decisions)
            claimed = len(lost) < len(decisions)
            conflicts |= lost

    async def _read_inputs(self, conflicts: Collection[UUID] = ()) -> tuple[RoundInputs, Forecast]:
        """The state as every unit sees it, without the rows that another unit claimed during this series: a claim in
        progress is not visible yet, and another attempt would only conflict again.

        Rows that no unit can run are read only once. Rows of other units may come before the first of this unit.
        """
        units = len(self._last_inputs.units) if self._last_inputs is not None else 1
        limit = min(max(units * _claims_at_once(units), FEWEST_CANDIDATES), MOST_CANDIDATES) + len(conflicts)
        while True:
            inputs, forecast = await self._unit.look(limit, self._refused)
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
                candidates = (c for c in inputs.candidates if c.id not in conflicts and c.needs not in self._refused)
                return RoundInputs(inputs.units, tuple(candidates)), forecast
            limit *= 4

    async def _read_inputs_only(self) -> RoundInputs:
        inputs, _ = await self._read_inputs()
        return inputs

    def _others_expect_a_claim(self, now: RoundInputs) -> bool:
        """Whether units that see the last state of this unit wait for its claim; a sample may have changed that."""
        if self._last_inputs is None:
            return False
        expected = RoundInputs(self._last_inputs.units, now.candidates)
        return claim_round.decide(self._unit.address, expected).outcome == "claim"

    async def _claim(self, reason: str, decisions: list[Decision]) -> set[UUID]:
        """Claims the rows of these rounds in one transaction. Returns those that other units were faster to claim."""
        claims = []
        for decision in decisions:
            assert decision.candidate is not None
            events = claim_round.record(self._unit.address, reason, decision), decision.eligibility, decision.attempt
            claims.append(Claim(decision.candidate, tuple(e for e in events if e is not None)))
        lost = {claim.candidate.id for claim in claims}
        for deployment in await self._decisions.claim(*claims):
            lost.discard(deployment.id)
            log.info("claimed %s (%s@%s)", deployment.id, deployment.package_name, deployment.package_version)
            self._reconciler.adopt(deployment)
        if len(lost) < len(claims):
            self._on_claimed()
        for row in lost:
            log.info("deployment %s went to another unit", row)
        return lost

    async def _skip(self, reason: str, inputs: RoundInputs, decision: Decision) -> None:
        """Records the skip, unless a heartbeat only reads what is already recorded."""
        waiting = frozenset(c.id for c in inputs.candidates)
        if reason == "heartbeat" and waiting <= self._recorded_rows:
            return
        self._recorded_rows = waiting
        recorded = claim_round.record(self._unit.address, reason, decision)
        events: tuple[Event | None, ...] = (recorded, decision.eligibility, decision.skipped)
        await self._decisions.append(*(e for e in events if e is not None))

    async def _notify_eligible(self, now: RoundInputs, awake: Collection[str] = ()) -> None:
        others = claim_round.wake_ups(self._unit.address, self._last_inputs, now)
        if others := [address for address in others if address not in awake]:
            await self._unit.notify("eligible", others)


def _claims_at_once(units: int) -> int:
    return min(max(ROWS_A_LOOK // max(units, 1), FEWEST_CLAIMS), MOST_CLAIMS)
