"""Rounds of a fleet without its daemons: real inputs, the real decision, the real append, one after the other."""

from dataclasses import dataclass
from uuid import UUID

from nodeunit.domain import claim_round
from nodeunit.domain.claim_round import Decision, RoundInputs
from nodeunit.domain.policy import Usage
from nodeunit.store.postgres.connections import Pool
from nodeunit.store.write import unit_reads
from nodeunit.store.write.decisions import Claim, DecisionStream
from nodeunit.store.write.membership import Membership
from tests.support.members import join


@dataclass
class Deciding:
    """A unit that decides when a test tells it to."""

    pool: Pool
    unit: Membership
    stream: DecisionStream

    @property
    def address(self) -> str:
        return self.unit.address

    async def sample(self, cpu_percent: float, memory_mb: float) -> None:
        """A heartbeat with this usage."""
        await self.unit.heartbeat(Usage(cpu_percent, memory_mb), [])

    async def look(self, inputs: RoundInputs | None = None) -> Decision:
        """One round, recorded as the daemon records it; from the given inputs, else from the current state."""
        inputs = inputs or await unit_reads.round_inputs(self.pool, 64)
        decision = claim_round.decide(self.address, inputs)
        recorded = claim_round.record(self.address, "deployment", decision)
        events = (recorded, decision.eligibility, decision.attempt or decision.skipped)
        written = tuple(event for event in events if event is not None)
        if decision.candidate is None:
            await self.stream.append(*written)
        else:
            await self.stream.claim(Claim(decision.candidate, written))
        return decision

    async def release(self, deployment_id: UUID, reason: str = "drained") -> None:
        """Releases a row that the unit holds."""
        held = {row.id: row for row in await unit_reads.programs_of(self.pool, self.address)}
        assert await self.unit.release(held[deployment_id], reason)


async def deciding(pool: Pool, address: str, **settings: object) -> Deciding:
    """A unit joins."""
    unit = await join(pool, address, **settings)  # type: ignore[arg-type]
    return Deciding(pool, unit, DecisionStream(unit))


async def claim_all(units: list[Deciding]) -> int:
    """Rounds in turn until no unit claims any more. Returns the number of claims."""
    claimed = 0
    while True:
        outcomes = [(await unit.look()).outcome for unit in units]
        claimed += outcomes.count("claim")
        if "claim" not in outcomes:
            return claimed
