"""What a unit does about others that should claim and do not: a frozen one must not hold up the fleet.

A round compares all units that are online, and a unit that stopped a moment ago still is. If it is the one to claim,
all others wait for it. So a unit that would be next watches what it waits for:

    skip ──ASK_AFTER_S, nothing has changed──> ask for a heartbeat ──ANSWER_WITHIN_S, none has come──> leave it out

Leaving out is a word in the database, on the lease of the unit in doubt (`doubt_units.sql`): from then on it is not
online to anybody, until its next heartbeat. So every unit sees the same, the recorded inputs of a round still tell its
whole decision, and the unit keeps its lease and its rows. A unit that is only slow answers, and is waited for.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from uuid import UUID

import msgspec

from nodeunit.domain import claim_round
from nodeunit.domain.claim_round import RoundInputs
from nodeunit.errors import NodeunitError
from nodeunit.store.postgres.connections import Pool
from nodeunit.store.write import membership
from nodeunit.store.write.membership import Membership

log = logging.getLogger(__name__)

ASK_AFTER_S = 0.15
"""A claim takes some milliseconds; on a busy machine some dozens."""

ANSWER_WITHIN_S = 0.25

Turns = dict[str, tuple[UUID, int]]
"""Which row at which version each of the others is to claim, by address."""


class Patience:
    """`look` reads the state as a round would; `go_on` is called when somebody was left out."""

    def __init__(
        self,
        pool: Pool,
        unit: Membership,
        look: Callable[[], Awaitable[RoundInputs]],
        go_on: Callable[[], None],
    ) -> None:
        self._pool = pool
        self._unit = unit
        self._look = look
        self._go_on = go_on
        self._watching: asyncio.Task[None] | None = None

    def wait_for_others(self, inputs: RoundInputs) -> None:
        """This unit has nothing to claim in `inputs`: watch who has. Returns at once; watches one thing at a time."""
        if (self._watching is None or self._watching.done()) and (turns := self._turns(inputs)):
            self._watching = asyncio.create_task(self._watch(turns))

    def end(self) -> None:
        """Watches no more."""
        if self._watching is not None:
            self._watching.cancel()

    async def _watch(self, turns: Turns) -> None:
        try:
            while turns:
                await asyncio.sleep(ASK_AFTER_S)
                now = self._turns(await self._look())
                if not (overdue := _unchanged(turns, now)):
                    turns = now
                    continue
                asked_at = await membership.ask(self._pool, overdue)
                await asyncio.sleep(ANSWER_WITHIN_S)
                turns = self._turns(await self._look())
                silent = _unchanged(now, turns)
                if silent and await membership.doubt(self._pool, self._unit, silent, asked_at):
                    log.warning("going on without %s, which should have claimed and does not answer", ", ".join(silent))
                    self._go_on()
                    return
        except NodeunitError as error:
            log.warning("cannot see what the others do: %s", error)

    def _turns(self, inputs: RoundInputs) -> Turns:
        """Whose turn it is; empty when without them it would not be ours."""
        claims = claim_round.claims(inputs)
        others = {address: (row.id, row.version) for address, row in claims.items() if address != self._unit.address}
        rest = tuple(unit for unit in inputs.units if unit.address not in others)
        without = msgspec.structs.replace(inputs, units=rest)
        if not others or claim_round.decide(self._unit.address, without).outcome == "skip":
            return {}
        return others


def _unchanged(before: Turns, now: Turns) -> list[str]:
    return sorted(address for address, row in before.items() if now.get(address) == row)
