"""The fleet as the fold of the whole log: the deployments with the units that hold them, and the units in it.

It gives the same result as the SQL functions `deployments_at` and `units_at`, for logs that are not in a database;
tests compare them. Events come in the order of commits. Two overlapping transactions may bring two versions of a stream
in the wrong order, so the highest version counts, whenever it arrives.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from nodeunit.domain.deployment import holder_after
from nodeunit.domain.event import Event
from nodeunit.domain.events import (
    DeploymentAssigned,
    DeploymentChanged,
    DeploymentClaimed,
    DeploymentCreated,
    DeploymentDeleted,
    DeploymentDisabled,
    DeploymentEnabled,
    DeploymentReleased,
    UnitCordoned,
    UnitDrained,
    UnitDraining,
    UnitDrainRequested,
    UnitJoined,
    UnitLeft,
    UnitLost,
    UnitSupervisorDied,
    UnitUncordoned,
    Unknown,
)
from nodeunit.domain.snapshot_events import AssignmentSnapshot, DeploymentSnapshot, UnitSnapshot

IN_FLEET = ("present", "draining")
"""The memberships of a unit that is in the fleet."""


class DeploymentState(msgspec.Struct, kw_only=True):
    """A deployment at one time."""

    deployment_id: UUID
    package_name: str = ""
    package_version: str = ""
    type: str = "deployment"
    enabled: bool = True
    address: str = ""
    """The holder, or empty."""
    address_version: int = 0
    address_since: datetime | None = None
    """When the address last changed; None if it is unchanged since the deployment was created."""

    @property
    def package(self) -> str:
        """`name@version`."""
        return f"{self.package_name}@{self.package_version}"

    @property
    def waits(self) -> bool:
        """Whether any unit may claim it."""
        return self.enabled and self.type == "deployment" and not self.address


class UnitState(msgspec.Struct, kw_only=True):
    """A unit at one time, as its membership events tell."""

    address: str
    name: str = ""
    host: str = ""
    membership: str = "present"
    """present, draining, left or lost."""
    epoch: int = 0
    version: int = 0
    """Of its membership stream."""
    since: datetime | None = None
    """Of its last membership event."""
    policy: str = "deployment_count"
    cpu_weight: float = 0.5
    memory_weight: float = 0.5
    trusted: str = ""
    custom_command: bool = False
    runtimes: tuple[str, ...] = ()
    secrets: tuple[str, ...] = ()
    software: str = ""
    cordoned: bool = False

    @property
    def is_there(self) -> bool:
        return self.membership in IN_FLEET


class Fleet:
    """The fold, event by event. Memory grows with deployments and units, not with events."""

    def __init__(self) -> None:
        self._deployments: dict[UUID, DeploymentState] = {}
        self._units: dict[str, UnitState] = {}
        self._newest: dict[tuple[UUID | str, str], int] = {}

    def apply(
        self,
        event: Event | Unknown,
        *,
        deployment_id: UUID | None,
        unit_address: str,
        stream_version: int,
        recorded_at: datetime,
    ) -> None:
        """Adds one event. Events that change neither a deployment nor a unit are ignored."""
        kind = type(event)
        if deployment_id is not None:
            if change := _OF_DEPLOYMENT.get(kind):
                change(self, event, deployment_id, stream_version, recorded_at)
        elif unit_address and kind in _OF_UNIT:
            self._member(event, unit_address, stream_version, recorded_at)

    def deployments(self) -> list[DeploymentState]:
        """The deployments that exist, by id."""
        newest = self._newest
        there = (
            state
            for key, state in self._deployments.items()
            if newest.get((key, "specification"), 0) > newest.get((key, "deleted"), 0)
        )
        return sorted(there, key=lambda state: state.deployment_id)

    def units(self) -> list[UnitState]:
        """The units that had joined, by address. After a clock was set back, an end may precede its join."""
        joined = (unit for address, unit in self._units.items() if (address, "settings") in self._newest)
        return sorted(joined, key=lambda unit: unit.address)

    def _is_news(self, key: UUID | str, aspect: str, version: int) -> bool:
        is_news = version > self._newest.get((key, aspect), 0)
        if is_news:
            self._newest[key, aspect] = version
        return is_news

    def _deployment(self, deployment_id: UUID) -> DeploymentState:
        found = self._deployments.get(deployment_id)
        if found is None:
            found = self._deployments[deployment_id] = DeploymentState(deployment_id=deployment_id)
        return found

    def _assign(self, event: Any, deployment_id: UUID, version: int, at: datetime) -> None:
        state = self._deployment(deployment_id)
        if version > state.address_version:
            state.address, state.address_version = holder_after(event), version
            state.address_since = datetime.fromisoformat(event.since) if isinstance(event, AssignmentSnapshot) else at

    def _specify(self, event: Any, deployment_id: UUID, version: int, _at: datetime) -> None:
        state = self._deployment(deployment_id)
        if self._is_news(deployment_id, "specification", version):
            state.package_name, state.package_version = event.package_name, event.package_version
            state.type = event.type
        if self._is_news(deployment_id, "enabled", version):
            state.enabled = event.enabled

    def _switch(self, event: Any, deployment_id: UUID, version: int, _at: datetime) -> None:
        if self._is_news(deployment_id, "enabled", version):
            self._deployment(deployment_id).enabled = isinstance(event, DeploymentEnabled)

    def _delete(self, _event: Any, deployment_id: UUID, version: int, _at: datetime) -> None:
        # What is known stays, because the id may come back.
        self._is_news(deployment_id, "deleted", version)

    def _member(self, event: Any, address: str, version: int, at: datetime) -> None:
        unit = self._units.get(address)
        if unit is None:
            unit = self._units[address] = UnitState(address=address)
        if version > unit.version:
            unit.version = version
            unit.since = datetime.fromisoformat(event.since) if isinstance(event, UnitSnapshot) else at
        if isinstance(event, UnitJoined | UnitSnapshot) and self._is_news(address, "settings", version):
            unit.epoch = version if isinstance(event, UnitJoined) else event.epoch
            unit.software = event.version if isinstance(event, UnitJoined) else event.software
            unit.name, unit.host, unit.policy = event.name, event.host, event.policy
            unit.cpu_weight, unit.memory_weight = event.cpu_weight, event.memory_weight
            unit.trusted, unit.custom_command = event.trusted, event.custom_command
            unit.runtimes, unit.secrets = event.runtimes or (), event.secrets or ()
        membership = event.membership if isinstance(event, UnitSnapshot) else _MEMBERSHIP.get(type(event))
        if membership is not None and self._is_news(address, "membership", version):
            unit.membership = membership
        cordoned = event.cordoned if isinstance(event, UnitSnapshot) else _CORDONED.get(type(event))
        if cordoned is not None and self._is_news(address, "cordoned", version):
            unit.cordoned = cordoned


_OF_DEPLOYMENT: dict[type, Callable[[Fleet, Any, UUID, int, datetime], None]] = {
    DeploymentCreated: Fleet._specify,
    DeploymentChanged: Fleet._specify,
    DeploymentSnapshot: Fleet._specify,
    DeploymentEnabled: Fleet._switch,
    DeploymentDisabled: Fleet._switch,
    DeploymentDeleted: Fleet._delete,
    DeploymentClaimed: Fleet._assign,
    DeploymentAssigned: Fleet._assign,
    DeploymentReleased: Fleet._assign,
    AssignmentSnapshot: Fleet._assign,
}
"""How each event type changes its deployment. Other types change nothing."""

_MEMBERSHIP: dict[type, str] = {
    UnitJoined: "present",
    UnitDraining: "draining",
    UnitSupervisorDied: "draining",
    UnitLeft: "left",
    UnitLost: "lost",
}
_CORDONED: dict[type, bool] = {UnitCordoned: True, UnitDrainRequested: True, UnitUncordoned: False}
_OF_UNIT: set[type] = {*_MEMBERSHIP, *_CORDONED, UnitDrained, UnitSnapshot}

FOLDED: frozenset[type] = frozenset(_OF_DEPLOYMENT) | _OF_UNIT
"""The types that change anything. A reader of a long log can skip `Fleet.apply` for all others."""
