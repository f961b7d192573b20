"""A report: what happened in a period of the log, and whether the whole log obeys the rules."""

import re
from collections import Counter
from datetime import datetime
from uuid import UUID

import msgspec

from nodeunit.audit import invariants
from nodeunit.audit.invariants import Invariant
from nodeunit.domain.can_run import can_run
from nodeunit.domain.events import DeploymentClaimAttempt, DeploymentClaimRound
from nodeunit.domain.policy import NOTHING, Usage
from nodeunit.store.read.report import (
    Bounds,
    InsertRow,
    RoundRow,
    SampleRow,
    Server,
    Snapshot,
    TimingRow,
    UnitRow,
    WaitingRow,
    snapshot,
)

INSERTS = 20
"""The number of listed inserts: the first ones in the input, the newest ones in the timings."""

_PLAIN_NAME = re.compile(r"[\w.@:-]+")


class Round(msgspec.Struct, frozen=True):
    """A round that ended with a claim; usage and reservations by address."""

    number: int
    at: datetime
    claimant: str
    deployment_id: UUID
    usage: dict[str, Usage]
    """The measured usage in the attempt, without units that had no sample."""
    reserved: dict[str, Usage]
    """The expected usage of claimed programs that were not measured yet."""


class Report(msgspec.Struct, frozen=True):
    """Everything that `nodeunit report` shows."""

    server: Server
    since: datetime | None
    until: datetime | None
    units: list[UnitRow]
    inserts: list[InsertRow]
    split_after_first_claim: dict[str, int] | None
    """The number of deployments by address ('' is no unit) after the first claim; None if nothing was claimed."""
    split_at_end: dict[str, int]
    rounds: list[Round]
    timings: list[TimingRow]
    invariants: list[Invariant]
    samples: list[SampleRow]
    nobody_can_run: list[WaitingRow]
    """The waiting rows that no claiming unit can run, the largest kind first."""

    @property
    def violations(self) -> int:
        return sum(invariant.violations for invariant in self.invariants)

    @property
    def total(self) -> TimingRow | None:
        """The timings over all inserts; None if nothing was inserted."""
        return next((line for line in self.timings if line.total and line.deployments), None)

    def labels(self) -> dict[str, str]:
        """The label of each unit: its name if it is simple and unique, otherwise the beginning of its address."""
        names = Counter(unit.name for unit in self.units)
        return {
            unit.address: unit.name if _PLAIN_NAME.fullmatch(unit.name) and names[unit.name] == 1 else unit.address[:8]
            for unit in self.units
        }


async def read(conninfo: str, bounds: Bounds = Bounds(), *, rounds: int = 1000) -> Report:  # noqa: B008
    """Reads a report in one snapshot of the log. `rounds` is the number of newest rounds to list.

    Raises what connecting raises.
    """
    async with snapshot(conninfo, bounds) as log:
        return Report(
            server=await log.server(),
            since=bounds.since,
            until=bounds.until,
            units=await log.units(),
            inserts=await log.inserts(INSERTS),
            split_after_first_claim=await log.split_after_first_claim(),
            split_at_end=await log.split_at_end(),
            rounds=[_round(row) for row in await log.rounds(rounds)],
            timings=await log.timings(1 + INSERTS),
            invariants=await invariants.check(log),
            samples=await log.samples(),
            nobody_can_run=await _nobody_can_run(log),
        )


async def _nobody_can_run(log: Snapshot) -> list[WaitingRow]:
    abilities = await log.abilities()
    return [row for row in await log.waiting() if not any(can_run(unit, row) for unit in abilities)]


def _round(row: RoundRow) -> Round:
    attempt = msgspec.json.decode(row.attempt, type=DeploymentClaimAttempt) if row.attempt else None
    inputs = msgspec.json.decode(row.round, type=DeploymentClaimRound) if row.round else None
    return Round(
        number=row.number,
        at=row.recorded_at,
        claimant=row.claimant,
        deployment_id=row.deployment_id,
        usage=attempt.usage if attempt else {},
        reserved={unit.address: unit.reserved for unit in inputs.units if unit.reserved != NOTHING} if inputs else {},
    )
