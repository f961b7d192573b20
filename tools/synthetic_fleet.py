"""A fleet that never was: units claim, get lost, restart and take over, and write the events that real units write.

Rounds are decided by `domain.claim_round.decide` on what the imagined fleet looks like, so that their records can be
decided again; versions, orders and memberships are those that the constraints of the database demand.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

from msgspec import json

from nodeunit.domain import events as e
from nodeunit.domain import program_events
from nodeunit.domain.claim_round import RoundInputs, conflict, decide, record
from nodeunit.domain.event import Event
from nodeunit.domain.event_json import type_name
from nodeunit.domain.policy import Candidate, UnitView, Usage
from nodeunit.identity import address_of

PACKAGES = (
    "@yuants/app-portal",
    "@yuants/app-quotes",
    "@yuants/app-orders",
    "@yuants/app-trader",
    "@yuants/app-ledger",
)
PROGRAM = Usage(0.05, 38.0)
"""What a program uses, more or less."""


class Row(NamedTuple):
    """An event as in the table."""

    position: int
    recorded_at: datetime
    transaction: int
    """Counted from 0."""
    event_id: UUID
    stream_id: str
    stream_version: int
    type: str
    deployment_id: UUID | None
    unit_address: str
    data: str
    schema_version: int


@dataclass
class Deployment:
    """A row of the table deployment."""

    id: UUID
    package: str
    created_at: datetime
    version: str = "0.2.26"
    revision: int = 1
    holder: str = ""
    address_version: int = 0
    address_since: datetime | None = None
    pid: int = 0


@dataclass
class Unit:
    """A unit of the fleet."""

    name: str
    address: str
    supervisor: UUID
    epoch: int = 0
    decisions: int = 0
    """Version of its decision stream."""
    membership: int = 0
    """Version of its membership stream."""
    there: bool = False
    rows: set[UUID] = field(default_factory=set)
    fresh: int = 0
    """Rows claimed since its last sample."""


class Fleet:
    """Writes about `events` events between two moments, evenly."""

    def __init__(
        self, *, events: int, units: int, deployments: int, begin: datetime, end: datetime, seed: int = 1
    ) -> None:
        self._random = random.Random(seed)
        self._events = events
        self._begin, self._span = begin, end - begin
        self._size = deployments
        self.units = [self._unit(n + 1) for n in range(units)]
        self.deployments: dict[UUID, Deployment] = {}
        self.assignment_order: list[tuple[UUID, int, str]] = []
        """Deployment, version, holder; version 0 included."""
        self.membership_order: list[tuple[str, int, str]] = []
        """Address, version, present or absent."""
        self.transactions = 0
        self.written = 0
        self._at = begin
        self._out: list[Row] = []

    def run(self) -> Iterator[Row]:
        """Every event, in order."""
        for unit in self.units:
            self._join(unit)
        self._create(self._size)
        self._claim_all("deployment")
        doings = [self._restart_program] * 60 + [self._change] * 8 + [self._replace] * 12 + [self._look] * 2
        doings += [self._lose] * 2 + [self._restart_daemon] * 3
        while self.written < self._events:
            self._random.choice(doings)()
            yield from self._out
            self._out.clear()

    # --- what happens -----------------------------------------------------------------------------

    def _restart_program(self) -> None:
        running = [d for d in self.deployments.values() if d.holder]
        deployment = self._random.choice(running)
        self._exit(deployment, "exited")
        self._start(deployment)

    def _change(self) -> None:
        deployment = self._random.choice(list(self.deployments.values()))
        deployment.revision += 1
        deployment.version = f"0.2.{self._random.randrange(100)}"
        changed = e.DeploymentChanged(changed=["package_version"], **self._specification(deployment))
        self._begin_transaction()
        self._write(f"deployment-{deployment.id}", deployment.revision, changed, deployment.id)
        if deployment.holder:
            self._exit(deployment, "stopped")
            self._start(deployment)

    def _replace(self) -> None:
        gone = self._random.sample(list(self.deployments.values()), min(3, len(self.deployments)))
        self._begin_transaction()
        for deployment in gone:
            if deployment.holder:
                holder = self._by_address(deployment.holder)
                self._assign(deployment, "", e.DeploymentReleased(deployment.id, holder.address, "deleted"), holder)
            self._write(
                f"deployment-{deployment.id}", deployment.revision + 1, e.DeploymentDeleted("postgres"), deployment.id
            )
            del self.deployments[deployment.id]
        self._create(len(gone))
        self._claim_all("deployment")

    def _look(self) -> None:
        for unit in self._there():
            self._round(unit, "connected")

    def _lose(self) -> None:
        there = self._there()
        if len(there) < 2:
            return
        lost = self._random.choice(there)
        by = next(unit for unit in there if unit is not lost)
        lost.there = False
        self._begin_transaction()
        self._member(lost, "absent", e.UnitLost(by.address, self._at.isoformat()))
        self._claim_all("unit_lost")
        self._join(lost)

    def _restart_daemon(self) -> None:
        unit = self._random.choice(self._there())
        succeeds = unit.epoch
        self._join(unit, succeeds)
        self._look()

    # --- a claim round ----------------------------------------------------------------------------

    def _claim_all(self, why: str) -> None:
        while any(not d.holder or not self._by_address(d.holder).there for d in self.deployments.values()):
            unit = self._random.choice(self._there())
            # Most units sleep until they are eligible.
            if self._random.random() < 0.05 or decide(unit.address, self._inputs()).outcome == "claim":
                self._round(unit, why)
            for other in self._there():
                if self._random.random() < 0.5:
                    other.fresh = 0

    def _round(self, unit: Unit, why: str) -> None:
        decision = decide(unit.address, self._inputs())
        self._begin_transaction()
        self._decide(unit, record(unit.address, why, decision))
        if decision.eligibility is not None:
            self._decide(unit, decision.eligibility)
        if decision.attempt is None or decision.candidate is None:
            assert decision.skipped is not None
            self._decide(unit, decision.skipped)
            return
        deployment = self.deployments[decision.candidate.id]
        self._decide(unit, decision.attempt)
        if self._random.random() < 0.02:
            self._decide(unit, conflict(decision.attempt))
            return
        if deployment.holder:
            lost = self._by_address(deployment.holder)
            self._assign(deployment, "", e.DeploymentReleased(deployment.id, lost.address, "unit_lost"), lost)
        self._assign(deployment, unit.address, e.DeploymentClaimed(deployment.id, unit.address), unit)
        self._start(deployment)

    def _inputs(self) -> RoundInputs:
        return RoundInputs(tuple(self._view(unit) for unit in self._there()), self._candidates())

    def _candidates(self) -> tuple[Candidate, ...]:
        there = {unit.address for unit in self._there()}
        waiting = [d for d in self.deployments.values() if d.holder not in there]
        waiting.sort(key=lambda d: (not d.holder, d.created_at, d.id))
        return tuple(
            Candidate(
                id=d.id,
                version=d.address_version,
                holder=d.holder,
                package_name=d.package,
                package_version=d.version,
            )
            for d in waiting[: len(there) + 4]
        )

    def _view(self, unit: Unit) -> UnitView:
        settled = len(unit.rows) - unit.fresh
        return UnitView(
            address=unit.address,
            policy="resource_usage",
            trusted="^@yuants/",
            deployment_count=len(unit.rows),
            measured=Usage(
                round(0.2 + settled * PROGRAM.cpu_percent * self._random.uniform(0.8, 1.2), 2),
                round(95 + settled * PROGRAM.memory_mb * self._random.uniform(0.95, 1.05), 2),
            ),
            reserved=Usage(unit.fresh * PROGRAM.cpu_percent, unit.fresh * PROGRAM.memory_mb),
        )

    # --- what is written --------------------------------------------------------------------------

    def _create(self, count: int) -> None:
        self._begin_transaction()
        for _ in range(count):
            deployment = Deployment(self._uuid(), self._random.choice(PACKAGES), self._at)
            self.deployments[deployment.id] = deployment
            self.assignment_order.append((deployment.id, 0, ""))
            created = e.DeploymentCreated(**self._specification(deployment))
            self._write(f"deployment-{deployment.id}", 1, created, deployment.id)

    def _join(self, unit: Unit, succeeds: int | None = None) -> None:
        unit.epoch, unit.decisions, unit.there = unit.membership + 1, 0, True
        self._begin_transaction()
        joined = e.UnitJoined(
            name=unit.name, host="vm", epoch=unit.epoch, succeeds=succeeds, supervisor=unit.supervisor,
            policy="resource_usage", cpu_weight=0.5, memory_weight=0.5, trusted="^@yuants/", custom_command=False,
            version="0.1.0", reserved_cpu_percent=1.0, reserved_memory_mb=64.0,
        )  # fmt: skip
        self._member(unit, "present", joined)

    def _member(self, unit: Unit, membership: str, event: Event) -> None:
        unit.membership += 1
        self.membership_order.append((unit.address, unit.membership, membership))
        self._write(f"unit-{unit.address}", unit.membership, event, None, unit.address)

    def _assign(self, deployment: Deployment, holder: str, event: Event, unit: Unit) -> None:
        if deployment.holder:
            self._by_address(deployment.holder).rows.discard(deployment.id)
        if holder:
            unit.rows.add(deployment.id)
            unit.fresh += 1
        deployment.holder = holder
        deployment.address_version += 1
        self.assignment_order.append((deployment.id, deployment.address_version, holder))
        self._write(f"assignment-{deployment.id}", deployment.address_version, event, deployment.id, unit.address)
        deployment.address_since = self._at

    def _start(self, deployment: Deployment) -> None:
        deployment.pid = self._random.randrange(1000, 4_000_000)
        self._begin_transaction()
        started = program_events.ProcessStarted(
            deployment.id, deployment.pid, str(self.written), deployment.revision, deployment.address_version
        )
        self._decide(self._by_address(deployment.holder), started)

    def _exit(self, deployment: Deployment, reason: str) -> None:
        self._begin_transaction()
        ran_s = round(self._random.expovariate(1 / 600), 3)
        exited = program_events.ProcessExited(
            deployment.id, deployment.pid, 1 if reason == "exited" else 0, None, ran_s, reason, ""
        )
        self._decide(self._by_address(deployment.holder), exited)

    def _decide(self, unit: Unit, event: Event) -> None:
        unit.decisions += 1
        self._write(f"decision-{unit.address}-{unit.epoch}", unit.decisions, event, unit_address=unit.address)

    def _begin_transaction(self) -> None:
        self.transactions += 1
        self._at = self._begin + self._span * (min(self.written, self._events) / self._events)

    def _write(
        self, stream: str, version: int, event: Event, deployment_id: UUID | None = None, unit_address: str = ""
    ) -> None:
        self.written += 1
        deployment_id = deployment_id or getattr(event, "deployment_id", None) or None
        self._at += timedelta(microseconds=200)
        self._out.append(
            Row(
                self.written, self._at, self.transactions, self._uuid(), stream, version, type_name(event),
                deployment_id, unit_address, json.encode(event).decode(), event.schema_version,
            )
        )  # fmt: skip

    def _specification(self, deployment: Deployment) -> dict[str, Any]:
        return {
            "package_name": deployment.package, "package_version": deployment.version, "command": "", "args": [],
            "env_names": [], "type": "deployment", "enabled": True, "on_disconnect": "keep", "by": "postgres",
        }  # fmt: skip

    def _unit(self, number: int) -> Unit:
        name = f"node-unit-{number}"
        return Unit(name, address_of(name, name), self._uuid())

    def _there(self) -> list[Unit]:
        return [unit for unit in self.units if unit.there]

    def _by_address(self, address: str) -> Unit:
        return next(unit for unit in self.units if unit.address == address)

    def _uuid(self) -> UUID:
        return UUID(int=self._random.getrandbits(128), version=4)
