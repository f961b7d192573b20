"""Claim rounds. A wake-up starts a wave: rounds follow each other as long as this unit claims.

A claim carries no notification. After its commit the claimant reads the new state, which its next round needs anyway,
and wakes exactly the units that would claim now and would not have before. The last one to commit sees the full state,
so no wake-up is lost; a claimant that dies in between is covered by the heartbeats, whose answer says that work waits.
"""

import asyncio
import logging
from uuid import UUID

from nodeunit.daemon.reconciler import Reconciler
from nodeunit.daemon.suspicion import Patience
from nodeunit.domain import claim_round
from nodeunit.domain.claim_round import Decision, RoundInputs
from nodeunit.domain.events import Event
from nodeunit.domain.policy import Candidate
from nodeunit.domain.trust import may_run
from nodeunit.errors import DatabaseError
from nodeunit.store.postgres.connections import Pool
from nodeunit.store.postgres.listener import WakeUp
from nodeunit.store.write import decisions as store
from nodeunit.store.write import membership
from nodeunit.store.write.decisions import DecisionStream
from nodeunit.store.write.membership import Membership

log = logging.getLogger(__name__)

FIRST_CANDIDATES = 64
"""So many of the oldest rows the first round looks at; later ones know how many units there are."""

SPARE_CANDIDATES = 4
"""Beyond one row for each unit a round looks at a few more: for rows that only some units may run."""

HEARD_BY_FEW = ("eligible", "unit", "unit_lost", "overdue")
"""Wake-ups that not every unit gets by itself: who is not eligible after one passes it on to who is."""


class Scheduler:
    """Runs until cancelled. Wake-ups that come during a wave coalesce into one more."""

    def __init__(
        self, pool: Pool, unit: Membership, trusted: str, decisions: DecisionStream, reconciler: Reconciler
    ) -> None:
        self._pool = pool
        self._unit = unit
        self._trusted = trusted
        self._decisions = decisions
        self._reconciler = reconciler
        self._patterns: set[str] = set()
        self._refused: set[str] = set()  # name@version that none of these patterns trusts
        self._why: list[str] = []
        self._woken = asyncio.Event()
        self._seen: RoundInputs | None = None
        self._told_of: frozenset[UUID] = frozenset()
        self._patience = Patience(pool, unit, lambda: self._inputs(set()), lambda: self.wake("overdue"))

    def wake(self, why: str) -> None:
        """Asks for a wave. A heartbeat is the weakest reason: it counts only when there is no other."""
        self._why.append(why)
        self._woken.set()

    def hear(self, wake_up: WakeUp) -> None:
        """A notification: for everybody, or for some units by address."""
        if wake_up.concerns(self._unit.address):
            self.wake(wake_up.what)

    async def run(self) -> None:
        """Waits and claims. A database that is away ends a wave; the next wake-up comes with its return."""
        try:
            while True:
                await self._woken.wait()
                self._woken.clear()
                reasons = list(dict.fromkeys(self._why))
                self._why.clear()
                try:
                    await self._wave(next((r for r in reasons if r != "heartbeat"), "heartbeat"))
                except DatabaseError as error:
                    log.warning("claiming is interrupted: %s", error)
        finally:
            self._patience.end()

    async def _wave(self, why: str) -> None:
        claimed = False
        conflicts: set[UUID] = set()
        while True:
            inputs = await self._inputs(conflicts)
            decision = claim_round.decide(self._unit.address, inputs)
            if claimed or (decision.outcome == "skip" and (why in HEARD_BY_FEW or self._was_expected(inputs))):
                await self._wake_others(inputs)
            self._seen = inputs
            if decision.outcome == "skip":
                self._patience.wait_for_others(inputs)
                if claimed:
                    return  # the look after a claim is not a round
            if decision.candidate is None:
                await self._skip(why, inputs, decision)
                return
            claimed = await self._claim(why, decision, decision.candidate)
            if not claimed:
                conflicts.add(decision.candidate.id)

    async def _inputs(self, conflicts: set[UUID]) -> RoundInputs:
        """The state, as every unit sees it, but for the rows this one came second for in this wave: a claim under way
        is not visible yet, and to try again at once would only conflict again.

        Rows that no unit may run are asked for only once; rows of others may stand before the first of ours.
        """
        units = len(self._seen.units) if self._seen is not None else FIRST_CANDIDATES
        limit = units + SPARE_CANDIDATES + len(conflicts)
        while True:
            inputs = await store.round_inputs(self._pool, sorted(self._refused), limit)
            patterns = {unit.trusted for unit in inputs.units}
            if patterns != self._patterns:
                self._patterns = patterns
                if self._refused:
                    self._refused.clear()
                    continue
            packages = {c.package for c in inputs.candidates}
            self._refused |= {p for p in packages if not any(may_run(trusted, p) for trusted in patterns)}
            mine = any(may_run(self._trusted, package) for package in packages)
            if mine or len(inputs.candidates) < limit:
                return RoundInputs(
                    inputs.units,
                    tuple(c for c in inputs.candidates if c.id not in conflicts and c.package not in self._refused),
                )
            limit *= 4

    def _was_expected(self, now: RoundInputs) -> bool:
        """Whether others, who see what this unit saw last, count on it: a sample in between may have changed that."""
        if self._seen is None:
            return False
        expected = RoundInputs(self._seen.units, now.candidates)
        return claim_round.decide(self._unit.address, expected).outcome == "claim"

    async def _claim(self, why: str, decision: Decision, candidate: Candidate) -> bool:
        events = (
            claim_round.record(self._unit.address, why, decision),
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

    async def _skip(self, why: str, inputs: RoundInputs, decision: Decision) -> None:
        """Records the skip. A heartbeat looks again at what was told before; that is nothing new to record."""
        waiting = frozenset(c.id for c in inputs.candidates)
        if why == "heartbeat" and waiting <= self._told_of:
            return
        self._told_of = waiting
        recorded = claim_round.record(self._unit.address, why, decision)
        events: tuple[Event | None, ...] = (recorded, decision.eligibility, decision.skipped)
        await self._decisions.append(*(e for e in events if e is not None))

    async def _wake_others(self, now: RoundInputs) -> None:
        if others := claim_round.wake_ups(self._unit.address, self._seen, now):
            await membership.wake(self._pool, "eligible", others)
