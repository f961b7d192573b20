"""The event types of the log. A class has the name of its type, and its fields are those of the event's `data`.

The four claim events have exactly the fields of the original system, in camelCase where it has them so. A field of type
`... | UnsetType` that is not set is left out of the JSON. `domain.upcasting` has the rules for changing a type.
"""

from typing import Any
from uuid import UUID

import msgspec
from msgspec import UNSET, UnsetType

from nodeunit.domain import program_events as program_events  # its types belong to EVENT_TYPES
from nodeunit.domain.event import Event
from nodeunit.domain.policy import Candidate, UnitView, Usage
from nodeunit.domain.snapshot_events import AssignmentSnapshot, DecisionsSnapshot, DeploymentSnapshot, UnitSnapshot
from nodeunit.domain.upcasting import stored_names

# --- a claim round --------------------------------------------------------------------------------


class DeploymentClaimEligibility(Event, frozen=True):
    """Whether the unit may claim in this round, in comparison with the units that decide by the same policy."""

    eligible: bool
    policy: list[str]
    activeNodeUnits: list[str]
    eligibleNodeUnits: list[str]
    metrics: dict[str, float]
    """Policy name to the value of this unit; empty if it has none."""
    minMetrics: dict[str, float]
    """Policy name to the lowest value; empty if no unit has one."""
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
    """The unit tries to claim this row. `usage` is the measured usage of each recorded unit that has a sample."""

    deployment_id: UUID
    claimant: str
    usage: dict[str, Usage]


class DeploymentUnusable(Event, frozen=True):
    """The row cannot be claimed because its history is broken. Rounds leave it out until it is changed."""

    deployment_id: UUID
    fault: str
    """What the database refused."""


class DeploymentClaimed(Event, frozen=True):
    """The claimant holds the row from now on."""

    deployment_id: UUID
    claimant: str


class DeploymentClaimRound(Event, frozen=True):
    """The inputs of a round, complete enough to decide it again (`domain.claim_round.recorded_inputs`).

    In version 1 the commands of rows were recorded and did not count.
    """

    schema_version = 2

    wake_up: str
    """The reason why the round ran."""
    policy: str
    cpu_weight: float
    memory_weight: float
    units: list[UnitView]
    candidates: list[Candidate]
    units_left_out: int = 0
    """How many active units are not listed. They could not change the decision."""
    candidates_left_out: int = 0
    """How many waiting rows are not listed. They could not change the decision."""
    outcome: str = ""
    """`claim`, or the reason of the skip. A conflict is found later and is not an outcome of deciding."""
    deployment_id: UUID | UnsetType = UNSET
    """The row that the unit decided to claim."""


# --- who holds a deployment, besides a claim ------------------------------------------------------


class DeploymentReleased(Event, frozen=True):
    """No longer held: `drained`, `unit_lost`, `supervisor_died`, `unit_exhausted`, `by_hand` or `deleted`.

    Disabling a row releases nothing: its program stops and its address stays, so that the same unit runs it again.
    """

    deployment_id: UUID
    holder: str
    reason: str


class DeploymentAssigned(Event, frozen=True):
    """A person wrote the address by hand."""

    deployment_id: UUID
    holder: str
    by: str


# --- what people do to a deployment ---------------------------------------------------------------


class DeploymentCreated(Event, frozen=True):
    """A row was inserted. The names of its environment variables are recorded, their values never."""

    package_name: str
    package_version: str
    command: str
    args: list[str]
    env_names: list[str]
    type: str
    enabled: bool
    on_disconnect: str
    by: str
    runtime: str = ""
    """`npm`, `python` or `command`; empty: not recorded, as before 0.2."""
    options: dict[str, Any] = msgspec.field(default_factory=dict)
    """What differs from the defaults of `domain.program_options`."""


class DeploymentChanged(Event, frozen=True):
    """The columns named in `changed` have new values. The other fields are the row after the change."""

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
    runtime: str = ""
    """`npm`, `python` or `command`; empty: not recorded, as before 0.2."""
    options: dict[str, Any] = msgspec.field(default_factory=dict)
    """What differs from the defaults of `domain.program_options`."""


class DeploymentEnabled(Event, frozen=True):
    """The row may run again."""

    by: str


class DeploymentDisabled(Event, frozen=True):
    """The row must not run."""

    by: str


class DeploymentRestartRequested(Event, frozen=True):
    """A person set `updated_at` and nothing else: the program starts again where it is, also a parked one."""

    by: str


class DeploymentDeleted(Event, frozen=True):
    """The row is gone. If its id is reused, its streams continue."""

    by: str


# --- units ----------------------------------------------------------------------------------------


class UnitJoined(Event, frozen=True):
    """A daemon began a new epoch of this address."""

    name: str
    host: str
    epoch: int
    succeeds: int | None
    """The epoch of the earlier daemon of the same supervisor that this daemon replaces."""
    supervisor: UUID
    policy: str
    cpu_weight: float
    memory_weight: float
    trusted: str
    custom_command: bool
    version: str
    """The version of nodeunit."""
    reserved_cpu_percent: float = 0.0
    """What the unit reserves for a program that was never measured."""
    reserved_memory_mb: float = 0.0
    containment: str = ""
    """How the processes of a program are told from others: `control_groups`, which nothing leaves, or `process_trees`:
    parents, sessions and marks. Empty: not recorded, as before 0.2."""
    runtimes: tuple[str, ...] = ()
    """The runtimes for which the unit can install packages, `npm` or `python`."""
    secrets: tuple[str, ...] = ()
    """The names of the secret files that the unit has."""


class UnitLost(Event, frozen=True):
    """The lease of the unit expired, and the unit `by` declared it lost."""

    by: str
    lease_expired_at: str


class UnitLeft(Event, frozen=True):
    """The unit released everything and left the fleet."""


class UnitDraining(Event, frozen=True):
    """The unit is leaving: it releases its rows and claims no more."""


class UnitSupervisorDied(Event, frozen=True):
    """The supervisor is dead, and its programs with it. The daemon gives the rows back for it, and the unit leaves."""


class UnitCordoned(Event, frozen=True):
    """An operator cordoned the unit: it claims nothing more, and what it holds continues to run."""

    by: str


class UnitUncordoned(Event, frozen=True):
    """The unit may claim again. A drain in progress ends."""

    by: str


class UnitDrainRequested(Event, frozen=True):
    """An operator wants the rows of the unit moved to other units by `until`. The unit stays in the fleet, cordoned."""

    until: str
    by: str


class UnitDrained(Event, frozen=True):
    """The drain that an operator requested is complete."""


class UnitListenerDeaf(Event, frozen=True):
    """The listener of the unit missed notifications and reconnects."""

    behind: int
    """The number of notifications that it missed."""


class UnitSampleUnusable(Event, frozen=True):
    """The unit measured something that is not a usage, such as nan. It is left out of the samples, then and later."""

    detail: str


class UnitExhausted(Event, frozen=True):
    """The unit lacks `descriptors`, `memory`, `processes` or `disk`; it claims nothing until it can start programs."""

    lacks: str
    detail: str


class UnitRecovered(Event, frozen=True):
    """The unit can start programs again, and claims."""

    lacked: str


class UnitSupervisorSilent(Event, frozen=True):
    """The unit's supervisor does not answer. The daemon can start and stop nothing, so it lets the lease expire."""

    silent_s: float


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
"""The names under which logs have snapshots."""
