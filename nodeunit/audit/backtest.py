"""Decides the recorded rounds again. Without an override the result must be the same, which proves that the log is
complete.

A round is part of one transaction: its inputs (DeploymentClaimRound), its other events (eligibility, attempt, skip)
and the claim, before those of the next round. Deciding again must give each of these events; a claim without recorded
inputs is a difference too. Under another policy only the decision is compared, and the units that would have held the
rows are simulated.
"""

from collections import Counter
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing
from datetime import datetime, timedelta
from uuid import UUID

import msgspec
from msgspec import UNSET, UnsetType

from nodeunit.audit.source import EventSource
from nodeunit.domain.claim_round import Decision, conflict, decide, recorded_inputs
from nodeunit.domain.event import Event
from nodeunit.domain.events import (
    DeploymentClaimAttempt,
    DeploymentClaimed,
    DeploymentClaimEligibility,
    DeploymentClaimRound,
    DeploymentClaimSkipped,
    DeploymentReleased,
    DeploymentUnusable,
    Unknown,
)
from nodeunit.domain.what_if import Distribution, PolicyOverride, imbalance
from nodeunit.store.read.event_log import RecordedEvent

TYPES = [
    kind.__name__
    for kind in (
        DeploymentClaimRound,
        DeploymentClaimEligibility,
        DeploymentClaimAttempt,
        DeploymentClaimSkipped,
        DeploymentClaimed,
        DeploymentReleased,
        DeploymentUnusable,
    )
]
"""The events that a backtest reads."""

LONGEST_ROUND = timedelta(minutes=1)
"""The events of one transaction are recorded within this time, because a statement of a unit may take five seconds."""

DIFFERENCES_KEPT = 1000


class DecisionDifference(msgspec.Struct, frozen=True, kw_only=True):
    """A round that is decided differently."""

    at: datetime | None
    position: int
    """The position of the event with the inputs; in a rounds table, the number of the round."""
    unit: str
    """The unit that ran the round."""
    recorded: str
    instead: str


class UnitDistribution(msgspec.Struct, frozen=True, kw_only=True):
    """What one unit claimed, and what it would have claimed."""

    unit: str
    claims: int
    claims_instead: int
    held: int
    """The number of claimed rows that it holds at the end."""
    held_instead: int


class Backtest(msgspec.Struct, frozen=True, kw_only=True):
    """The outcome of deciding again."""

    decisions: int
    differing: int
    differences: list[DecisionDifference]
    """The first differences, up to a limit."""
    outcomes: dict[str, dict[str, int]]
    """The number of rounds by recorded and new outcome."""
    another_policy: bool
    """Whether any unit decided differently than recorded."""
    units: list[UnitDistribution]
    imbalance: float | None
    """The maximum of the rows that each unit claimed, divided by their mean; 1 is even."""
    imbalance_instead: float | None

    @property
    def reproduced(self) -> int:
        return self.decisions - self.differing


class Tally:
    """Counts the outcomes."""

    def __init__(self) -> None:
        self.distribution = Distribution()
        self.another_policy = False
        self._decisions = 0
        self._differing = 0
        self._differences: list[DecisionDifference] = []
        self._outcomes: dict[str, Counter[str]] = {}

    def count(self, recorded: str, instead: str, difference: DecisionDifference | None) -> None:
        """One decision."""
        self._decisions += 1
        self._outcomes.setdefault(recorded, Counter())[instead] += 1
        if difference is not None:
            self._differing += 1
            if len(self._differences) < DIFFERENCES_KEPT:
                self._differences.append(difference)

    def result(self) -> Backtest:
        """The counts so far."""
        distribution = self.distribution
        held, simulated_held = distribution.held(), distribution.simulated_held()
        units = sorted((distribution.units | distribution.claims.keys() | distribution.simulated_claims.keys()) - {""})
        return Backtest(
            decisions=self._decisions,
            differing=self._differing,
            differences=self._differences,
            outcomes={outcome: dict(found) for outcome, found in sorted(self._outcomes.items())},
            another_policy=self.another_policy,
            units=[
                UnitDistribution(
                    unit=unit,
                    claims=distribution.claims[unit],
                    claims_instead=distribution.simulated_claims[unit],
                    held=held[unit],
                    held_instead=simulated_held[unit],
                )
                for unit in units
            ],
            imbalance=imbalance(distribution.claims[unit] for unit in units),
            imbalance_instead=imbalance(distribution.simulated_claims[unit] for unit in units),
        )


async def backtest(
    source: EventSource,
    override: PolicyOverride,
    since: datetime | None = None,
    until: datetime | None = None,
) -> Backtest:
    """Decides again each round of the given time. The source has events of `TYPES`, and extends `LONGEST_ROUND` beyond
    that time on both sides, so that no round is cut in two.
    """
    tally = Tally()
    async with aclosing(_transactions(source)) as transactions:
        async for transaction in transactions:
            for judged in _rounds(transaction):
                first = next((e for e in judged if e.type == "DeploymentClaimRound"), judged[0])
                if (since is None or first.recorded_at >= since) and (until is None or first.recorded_at < until):
                    _judge(tally, judged, override)
    return tally.result()


async def _transactions(source: EventSource) -> AsyncGenerator[list[RecordedEvent], None]:
    """In commit order the events of a transaction follow each other."""
    together: list[RecordedEvent] = []
    async with aclosing(aiter(source)) as events:
        async for event in events:
            if together and event.transaction_id != together[0].transaction_id:
                yield together
                together = []
            together.append(event)
    if together:
        yield together


def _rounds(transaction: list[RecordedEvent]) -> Iterator[list[RecordedEvent]]:
    """The events of each round of a transaction; what precedes its first round belongs to that one."""
    together: list[RecordedEvent] = []
    for event in transaction:
        if event.type == "DeploymentClaimRound" and any(e.type == "DeploymentClaimRound" for e in together):
            yield together
            together = []
        together.append(event)
    yield together


def _judge(tally: Tally, transaction: list[RecordedEvent], override: PolicyOverride) -> None:
    decoded = [recorded.event() for recorded in transaction]
    for event in decoded:
        if isinstance(event, DeploymentReleased):
            tally.distribution.release(event.deployment_id)
    claims = [event for event in decoded if isinstance(event, DeploymentClaimed)]
    at = next((n for n, event in enumerate(decoded) if isinstance(event, DeploymentClaimRound)), None)
    if at is None:
        for recorded in transaction:
            if recorded.type == "DeploymentClaimed":
                tally.count("claim", "", _difference(recorded, f"claim {recorded.deployment_id}", "no inputs recorded"))
        return
    recorded, inputs_event = transaction[at], decoded[at]
    assert isinstance(inputs_event, DeploymentClaimRound)
    inputs = recorded_inputs(inputs_event)
    me = recorded.unit_address
    again = decide(me, override.apply(inputs))
    as_recorded = not override.changes(inputs)
    tally.another_policy |= not as_recorded
    tally.distribution.units.update(unit.address for unit in inputs.units if unit.policy != "none")

    then = _outcome(inputs_event.outcome, inputs_event.deployment_id)
    now = _outcome(again.reason or again.outcome, again.candidate.id if again.candidate else UNSET)
    difference = _difference(recorded, then, now) if then != now else None
    if difference is None and as_recorded:
        fault = next(_faults(me, again, decoded[at + 1 :], claims), None)
        difference = _difference(recorded, then, fault) if fault else None
    tally.count(inputs_event.outcome, again.reason or again.outcome, difference)

    for claim in claims:
        candidate = next((c for c in inputs.candidates if c.id == claim.deployment_id), None)
        if candidate is not None:
            instead = tally.distribution.claimant_of(candidate, override.apply(inputs)) or ""
            tally.distribution.claim(claim.deployment_id, claim.claimant, instead)


def _faults(me: str, again: Decision, events: list[Event | Unknown], claims: list[DeploymentClaimed]) -> Iterator[str]:
    """The events and claims of the round that do not follow from its inputs."""
    expected: list[Event | None] = [again.eligibility, again.attempt]
    if again.attempt is not None:
        expected.append(DeploymentClaimed(again.attempt.deployment_id, me) if claims else conflict(again.attempt))
    else:
        expected.append(again.skipped)
    found = [event for event in events if not isinstance(event, DeploymentReleased | DeploymentUnusable)]
    if any(isinstance(event, DeploymentUnusable) for event in events):
        expected.pop()  # the decision was right, and the row could not be claimed
    wanted = [event for event in expected if event is not None]
    for event, right in zip(found, wanted, strict=False):
        if event != right:
            yield f"{type(right).__name__} {msgspec.json.encode(right).decode()}"
    if len(found) != len(wanted):
        yield f"{len(wanted)} events of the round, not {len(found)}"


def _outcome(outcome: str, deployment_id: UUID | UnsetType) -> str:
    return f"{outcome} {deployment_id}" if isinstance(deployment_id, UUID) else outcome


def _difference(recorded: RecordedEvent, then: str, now: str) -> DecisionDifference:
    return DecisionDifference(
        at=recorded.recorded_at, position=recorded.position, unit=recorded.unit_address, recorded=then, instead=now
    )
