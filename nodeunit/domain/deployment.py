"""A deployment: its row, and its assignment as the fold of its assignment events.

The constraints of the table `assignment_order` keep the order of these events. `evolve` checks the same rules without a
database, for tests and for logs that are not in one.
"""

from typing import NamedTuple
from uuid import UUID

import msgspec

from nodeunit.domain.event import Event
from nodeunit.domain.events import DeploymentAssigned, DeploymentClaimed, DeploymentReleased, Unknown
from nodeunit.domain.program_options import ProgramOptions
from nodeunit.domain.snapshot_events import AssignmentSnapshot
from nodeunit.errors import InvariantViolated


class Deployment(msgspec.Struct, frozen=True, kw_only=True):
    """A row of the table `deployment`, with its assignment."""

    id: UUID
    package_name: str
    package_version: str
    command: str
    args: list[str]
    env: dict[str, str]
    type: str
    """`deployment`: runs on the unit that holds it; `daemon`: runs on every unit."""
    address: str
    """The address of the holder; empty if no unit holds it."""
    address_version: int
    """The version of the assignment. A claim appends the next one, and a program gets its own as fencing token."""
    enabled: bool
    on_disconnect: str
    """`keep` or `stop`: whether the program outlives the lease of its unit."""
    revision: int
    """Counts the changes of the specification. A program of an older revision is restarted."""
    runtime: str = "command"
    """How the program is made available: `npm`, `python` or `command`."""
    options: ProgramOptions = ProgramOptions()


AssignmentEvent = DeploymentClaimed | DeploymentAssigned | DeploymentReleased | AssignmentSnapshot
"""The events of an assignment stream."""


class Assignment(NamedTuple):
    """The unit that holds a deployment, and the version of the assignment event that says so."""

    holder: str = ""
    version: int = 0


def initial_state() -> Assignment:
    """A new deployment before its first assignment event: no unit holds it."""
    return Assignment()


def holder_after(event: AssignmentEvent) -> str:
    """The address of the unit that holds the deployment once this event is recorded; empty if none does.

    Each assignment event names the holder from then on, so the one with the highest version is the whole fold.
    """
    match event:
        case DeploymentClaimed(claimant=holder) | DeploymentAssigned(holder=holder) | AssignmentSnapshot(holder=holder):
            return holder
        case DeploymentReleased():
            return ""


def evolve(state: Assignment, version: int, event: Event | Unknown) -> Assignment:
    """The assignment after `event`, which has this version in the assignment stream of its deployment.

    Other events change nothing, whatever their version. Raises InvariantViolated for a gap,
    a repeated version, a claim or assignment of a held deployment, and a release by a unit that does not
    hold it. A snapshot begins the history of a deployment, or repeats what was read from an archive before it.
    """
    if not isinstance(event, AssignmentEvent):
        return state
    if fault := _fault(state, version, event):
        raise InvariantViolated(f"deployment {event.deployment_id}: version {version} {fault}")
    return Assignment(holder_after(event), version)


def _fault(state: Assignment, version: int, event: AssignmentEvent) -> str | None:
    """Why the event cannot follow the state; None if it can."""
    holder = holder_after(event)
    if isinstance(event, AssignmentSnapshot):
        if state not in (initial_state(), Assignment(holder, version)):
            return f"is a snapshot held by {holder or 'nobody'} while {_held(state)}, at version {state.version}"
    elif version != state.version + 1:
        return f"{'is there twice' if version <= state.version else 'leaves a gap'} after version {state.version}"
    elif isinstance(event, DeploymentReleased):
        if not event.holder or event.holder != state.holder:
            return f"takes it from {event.holder or 'nobody'} while {_held(state)}"
    elif not holder:
        return "gives it to nobody"
    elif state.holder:
        return f"gives it to {holder} while {_held(state)}"
    return None


def _held(state: Assignment) -> str:
    return f"{state.holder or 'nobody'} has it"
