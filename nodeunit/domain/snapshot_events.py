"""The event types that an archive leaves in the log, in place of the events that it moved to a file."""

from typing import Any
from uuid import UUID

import msgspec

from nodeunit.domain.event import Event


class LogArchived(Event, frozen=True):
    """Everything recorded before a time was moved to a file. The remaining streams begin with `...Snapshot` events.

    Each snapshot takes the place of the last archived event of its stream, with its version, position and transaction.
    """

    schema_version = 2

    file: str
    sha256: str
    """The SHA-256 of the uncompressed lines of the file without the last one."""
    before: str
    events: int
    first_position: int
    last_position: int
    digest: int
    """Of the rows as they were in the database."""
    snapshots: int
    """The number of remaining streams. In version 1 this field is called `carried`."""
    earlier: list[dict[str, Any]]
    """The archives before this one, oldest first: the first six fields of each."""


class DeploymentSnapshot(Event, frozen=True):
    """The deployment at the end of the archived events."""

    package_name: str
    package_version: str
    command: str
    args: list[str]
    env_names: list[str]
    type: str
    enabled: bool
    on_disconnect: str
    by: str
    created_at: str
    runtime: str = ""
    options: dict[str, Any] = msgspec.field(default_factory=dict)


class AssignmentSnapshot(Event, frozen=True):
    """The unit that held a deployment at the end of the archived events; none if the holder is empty."""

    deployment_id: UUID
    holder: str
    since: str


class ProgramSnapshot(msgspec.Struct, frozen=True):
    """A program that ran at the end of the archived events."""

    deployment_id: UUID
    pid: int
    start_time: str
    revision: int
    claim_version: int
    since: str


class UnitSnapshot(Event, frozen=True):
    """A unit at the end of the archived events: its row of the table `unit`, and its programs."""

    address: str
    name: str
    host: str
    membership: str
    epoch: int
    version: int
    since: str
    policy: str
    cpu_weight: float
    memory_weight: float
    reserved_cpu_percent: float
    reserved_memory_mb: float
    trusted: str
    custom_command: bool
    software: str
    cordoned: bool
    drain_until: str | None
    programs: list[ProgramSnapshot]
    parked: list[UUID]
    runtimes: tuple[str, ...] | None = None
    secrets: tuple[str, ...] | None = None
    supervisor: UUID | None = None
    supervisor_epoch: int = 0
    states: tuple[dict[str, Any], ...] = ()
    """The rows of the table `program` that go on."""


class DecisionsSnapshot(Event, frozen=True):
    """The earlier decisions of a unit are archived. Its epoch and this stream continue."""
