"""What a unit does about others that should claim and do not, because a frozen unit must not delay the fleet.

A round compares all units that are online, and a unit that stopped a moment ago still counts as online. If that unit
should claim, all others wait for it. So the unit that would be next watches the claims that are due:

    skip ──PROBE_AFTER_S, the claim is still due──> probe ──ANSWER_WITHIN_S, no heartbeat──> suspect

A suspicion is recorded in the database, on the lease of the suspected unit: until its next heartbeat that unit counts
as offline for every unit. So every unit sees the same state, the recorded inputs of a round still explain its whole
decision, and the suspected unit keeps its lease and its rows. A unit that is only slow answers the probe, and the
others wait for it.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Protocol
from uuid import UUID

import msgspec

from nodeunit.domain import claim_round
from nodeunit.domain.claim_round import RoundInputs
from nodeunit.errors import NodeunitError

log = logging.getLogger(__name__)

PROBE_AFTER_S = 0.15
"""A claim takes a few milliseconds, on a busy machine a few dozen."""

ANSWER_WITHIN_S = 0.25

DueClaims = dict[str, tuple[UUID, int]]
"""The row, and its version, that each other unit should claim, by address."""


class Prober(Protocol):
    """The part of a Membership that is needed here."""

    @property
    def address(self) -> str: ...
    async def probe(self, addresses: list[str]) -> datetime: ...
    async def suspect(self, addresses: list[str], probed_at: datetime) -> bool: ...


class Suspicion:
    """`read_inputs` reads the state as a round would; `on_suspected` is called after units were suspected."""

    def __init__(
        self,
        unit: Prober,
        read_inputs: Callable[[], Awaitable[RoundInputs]],
        on_suspected: Callable[[], None],
    ) -> None:
        self._unit = unit
        self._read_inputs = read_inputs
        self._on_suspected = on_suspected
        self._task: asyncio.Task[None] | None = None

    @property
    def watching(self) -> bool:
        """Whether claims of other units are due, as far as this unit knows."""
        return self._task is not None and not self._task.done()

    def watch(self, inputs: RoundInputs) -> None:
        """Watches the units that should claim, because this unit has nothing to claim in `inputs`. Returns at once."""
        if not self.watching and (due := self._due_claims(inputs)):
            self._task = asyncio.create_task(self._watch(due))

    def stop(self) -> None:
        """Ends the watching."""
        if self._task is not None:
            self._task.cancel()

    async def _watch(self, due: DueClaims) -> None:
        try:
            while due:
                await asyncio.sleep(PROBE_AFTER_S)
                now = self._due_claims(await self._read_inputs())
                if not (overdue := _still_due(due, now)):
                    due = now
                    continue
                probed_at = await self._unit.probe(overdue)
                await asyncio.sleep(ANSWER_WITHIN_S)
                due = self._due_claims(await self._read_inputs())
                silent = _still_due(now, due)
                if silent and await self._unit.suspect(silent, probed_at):
                    log.warning("leaving out %s, which should have claimed and does not answer", ", ".join(silent))
                    self._on_suspected()
                    return
        except NodeunitError as error:
            log.warning("cannot see whether the other units claim: %s", error)

    def _due_claims(self, inputs: RoundInputs) -> DueClaims:
        """The claims of the other units; empty if this unit would claim nothing without those units either."""
        claims = claim_round.claims(inputs)
        others = {address: (row.id, row.version) for address, row in claims.items() if address != self._unit.address}
        rest = tuple(unit for unit in inputs.units if unit.address not in others)
        without = msgspec.structs.replace(inputs, units=rest)
        if claim_round.decide(self._unit.address, without).outcome == "skip":
            return {}
        return others


def _still_due(before: DueClaims, now: DueClaims) -> list[str]:
    return sorted(address for address, row in before.items() if now.get(address) == row)
