"""The event types of the log: a class is named as its type, its fields as in the `data` of the event.

Types and fields that are there stay for ever: a new field has a default, a new meaning gets a new type. The
four claim events have exactly the fields of the original system, camelCase where it has it; a field of type
`... | UnsetType` that is not set is not in the JSON.
"""

from typing import Any, ClassVar
from uuid import UUID

import msgspec
from msgspec import UNSET, UnsetType

from nodeunit.domain.policy import Candidate, UnitView, Usage
from nodeunit.domain.upcasting import stored_names


class Event(msgspec.Struct, frozen=True):
    """The base of all event types. An event is immutable."""

    schema_version: ClassVar[int] = 1
    """The version of the fields below, written with each event; `domain.upcasting` says when it increases."""


# --- a claim round --------------------------------------------------------------------------------


class DeploymentClaimEligibility(Event, frozen=True):
    """Whether the unit may claim in this round, compared with the units that decide by the same policy."""

    eligible: bool
    policy: list[str]
    activeNodeUnits: list[str]
    eligibleNodeUnits: list[str]
    metrics: dict[str, float]
    """Policy name to this unit's value; empty if it is missing."""
    minMetrics: dict[str, float]
    """Policy name to the value to beat; empty if nobody has one."""
    notEligibleReasons: list[str]
    """`resource_usage:0.1493>0.1438`, `deployment_count:3>2` or `resource_usage:missing`."""


class DeploymentClaimSkipped(Event, frozen=True):
    """No claim in this round: `not_eligible`, `no_candidate`, `claim_conflict` or `policy_disabled`."""

    reason: str
    deployment_id: UUID | UnsetType = UNSET
    claimant: str | UnsetType = UNSET
    metrics: dict[str, float] | UnsetType = UNSET
    minMetrics: dict[str, float] | UnsetType = UNSET
    notEligibleReasons: list[str] | UnsetType = UNSET


class DeploymentClaimAttempt(Event, frozen=True):
    """The unit goes for this row; `usage` has the measured usage of each unit that has a sample."""

    deployment_id: UUID
    claimant: str
    usage: dict[str, Usage]


class DeploymentClaimed(Event, frozen=True):
    """The row is the claimant's."""

    deployment_id: UUID
    claimant: str


class DeploymentClaimRound(Event, frozen=True):
    """What a round looked at, complete enough to decide it again (`domain.claim_round.recorded_inputs`)."""

    wake_up: str
    """Why the round ran."""
    policy: str
    cpu_weight: float
    memory_weight: float
    units: list[UnitView]
    candidates: list[Candidate]
    units_left_out: int = 0
    """Active units beyond those listed; they could not change the decision."""
    candidates_left_out: int = 0
    """Waiting rows beyond those listed; they could not change the decision."""
    outcome: str = ""
    """`claim`, or the reason of the skip; a conflict is found later and is not an outcome of deciding."""
    deployment_id: UUID | UnsetType = UNSET
    """The row decided for."""


# --- who holds a deployment, besides a claim ------------------------------------------------------


class DeploymentReleased(Event, frozen=True):
    """The holder has the row no longer: `drained`, `unit_lost`, `by_hand` or `deleted`.

    Disabling a row releases nothing: its program stops, and its address stays, so that the same unit goes on with it.
    """

    deployment_id: UUID
    holder: str
    reason: str


class DeploymentAssigned(Event, frozen=True):
    """Somebody wrote the address by hand."""

    deployment_id: UUID
    holder: str
    by: str


# --- what people do to a deployment ---------------------------------------------------------------


class DeploymentCreated(Event, frozen=True):
    """A row was inserted. Names of environment variables are recorded, their values never."""

    package_name: str
    package_version: str
    command: str
    args: list[str]
    env_names: list[str]
    type: str
    enabled: bool
    on_disconnect: str
    by: str


class DeploymentChanged(Event, frozen=True):
    """The specification changed in the columns named in `changed`; the other fields are as they are now."""

    changed: list[str]
    package_name: str
    package_version: str
    command: str
    args: list[str]
    env_names: list[str]
    type: str
    enabled: bool
    on_disconnect: str
    by: str


class DeploymentEnabled(Event, frozen=True):
    """The row may run again."""

    by: str


class DeploymentDisabled(Event, frozen=True):
    """The row must not run."""

    by: str


class DeploymentDeleted(Event, frozen=True):
    """The row is gone."""

    by: str


# --- programs -------------------------------------------------------------------------------------


class ProcessStarted(Event, frozen=True):
    """A unit runs the deployment's program."""

    deployment_id: UUID
    pid: int
    start_time: str
    """With the pid, the identity of the process: clock ticks since boot, as the kernel gives them."""
    revision: int
    """Of the row's specification that was started."""
    claim_version: int
    """The fencing token handed to the program."""


class ProcessExited(Event, frozen=True):
    """The program ended, or could not be started (`spawn_failed`)."""

    deployment_id: UUID
    pid: int
    exit_code: int | None
    signal: int | None
    ran_s: float
    reason: str
    """`exited` by itself, `stopped` by the unit, `spawn_failed` …"""
    detail: str


class ProcessParked(Event, frozen=True):
    """The unit stopped restarting a program; an operator or a changed row un-parks it."""

    deployment_id: UUID
    reason: str
    detail: str


# --- units ----------------------------------------------------------------------------------------


class UnitJoined(Event, frozen=True):
    """A daemon took a new epoch of this address."""

    name: str
    host: str
    epoch: int
    succeeds: int | None
    """The epoch of the daemon of the same supervisor that this one goes on for."""
    supervisor: UUID
    policy: str
    cpu_weight: float
    memory_weight: float
    trusted: str
    custom_command: bool
    version: str
    """Of nodeunit."""
    reserved_cpu_percent: float = 0.0
    """What this unit reserves for a program that was never measured."""
    reserved_memory_mb: float = 0.0


class UnitLost(Event, frozen=True):
    """The lease expired, and the unit `by` was the one to say so."""

    by: str
    lease_expired_at: str


class UnitLeft(Event, frozen=True):
    """The unit drained to its end."""


class UnitDraining(Event, frozen=True):
    """The unit gives up its rows and claims no more."""


class UnitCordoned(Event, frozen=True):
    """An operator wants the unit to claim nothing more; what it holds goes on."""

    by: str


class UnitUncordoned(Event, frozen=True):
    """The unit may claim again; a drain under way ends."""

    by: str


class UnitDrainRequested(Event, frozen=True):
    """An operator wants the rows of the unit moved away until then; the unit stays, cordoned."""

    until: str
    by: str


class UnitDrained(Event, frozen=True):
    """The unit holds nothing more that was to be moved away."""


class UnitListenerDeaf(Event, frozen=True):
    """Notifications were sent that the unit's listener did not hear; it reconnects."""

    behind: int
    """How many it missed."""


# --- what an archive leaves behind ----------------------------------------------------------------


class LogArchived(Event, frozen=True):
    """What was recorded before a moment went to a file; what goes on is in the `...Snapshot` events.

    Each of those takes the place of the last archived event of its stream: its version, position and transaction.
    """

    schema_version = 2

    file: str
    sha256: str
    """Of the file's lines, uncompressed, but for the last."""
    before: str
    events: int
    first_position: int
    last_position: int
    digest: int
    """Of the rows as they stood in the database."""
    snapshots: int
    """How many streams go on, each from its snapshot. In version 1 the field was called `carried`."""
    earlier: list[dict[str, Any]]
    """The archives before this one, oldest first: the first six fields of each."""


class DeploymentSnapshot(Event, frozen=True):
    """What should run, as of the end of the archived events."""

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


class AssignmentSnapshot(Event, frozen=True):
    """Who held a deployment when the archived events ended; nobody if the holder is empty."""

    deployment_id: UUID
    holder: str
    since: str


class ProgramSnapshot(msgspec.Struct, frozen=True):
    """A program that ran when the archived events ended."""

    deployment_id: UUID
    pid: int
    start_time: str
    revision: int
    claim_version: int
    since: str


class UnitSnapshot(Event, frozen=True):
    """What the archived events say of a unit: its row of the table `unit`, and its programs."""

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


class DecisionsSnapshot(Event, frozen=True):
    """What a unit decided before is archived; its epoch, and so this stream, goes on."""


# --- all of them ----------------------------------------------------------------------------------


class Unknown(msgspec.Struct, frozen=True):
    """An event of a type or schema version that this code does not know, passed through as it is."""

    type: str
    data: Any
    """The decoded JSON."""


EVENT_TYPES: dict[str, type[Event]] = {event.__name__: event for event in Event.__subclasses__()}
"""Every type of the log by its name."""

SNAPSHOT_NAMES = frozenset(
    name
    for kind in (DeploymentSnapshot, AssignmentSnapshot, UnitSnapshot, DecisionsSnapshot)
    for name in stored_names(kind.__name__)
)
"""The names under which snapshots stand in logs."""
