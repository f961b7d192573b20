"""A deployment: its row, and who holds it as the fold of its assignment events.

The order of the events is kept by the constraints of `assignment_order`; this fold says the same once more,
without a database, for replay and for tests.
"""

from typing import NamedTuple
from uuid import UUID

import msgspec

from nodeunit.domain.events import (
    AssignmentSnapshot,
    DeploymentAssigned,
    DeploymentClaimed,
    DeploymentReleased,
    Event,
    Unknown,
)
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
    """`deployment`: runs on the one unit whose address it carries; `daemon`: on every unit."""
    address: str
    """The holder, or empty."""
    address_version: int
    """Version of the assignment: a claim appends the next; a program gets its own as fencing token."""
    enabled: bool
    on_disconnect: str
    """`keep` or `stop`: whether the program outlives the lease of its unit."""
    revision: int
    """Counts the changes of the specification; a program of an older one is restarted."""


class Assignment(NamedTuple):
    """Who holds a deployment after so many assignment events."""

    holder: str = ""
    version: int = 0


def initial_state() -> Assignment:
    """A new deployment: nobody's, before its first assignment event."""
    return Assignment()


def evolve(state: Assignment, version: int, event: Event | Unknown) -> Assignment:
    """The assignment after `event`, which has this version among the assignment events of its deployment.

    Events that are about something else change nothing, whatever their version. Raises InvariantViolated
    for a gap, a version that was there before, a claim or assignment of what is held, and a release by who
    does not hold it. A carried assignment begins the history of a deployment; read after the archive, it repeats
    what is known.
    """
    match event:
        case DeploymentClaimed(claimant=holder) | DeploymentAssigned(holder=holder):
            deployment_id = event.deployment_id
            _follows(deployment_id, state, version)
            if not holder:
                raise InvariantViolated(f"deployment {deployment_id}: version {version} gives it to nobody")
            if state.holder:
                raise InvariantViolated(
                    f"deployment {deployment_id}: version {version} gives it to {holder} while {state.holder} has it"
                )
            return Assignment(holder, version)
        case DeploymentReleased(deployment_id=deployment_id, holder=holder):
            _follows(deployment_id, state, version)
            if not holder or holder != state.holder:
                raise InvariantViolated(
                    f"deployment {deployment_id}: version {version} takes it from {holder or 'nobody'}"
                    f" while {state.holder or 'nobody'} has it"
                )
            return Assignment("", version)
        case AssignmentSnapshot(deployment_id=deployment_id, holder=holder):
            if state not in (initial_state(), Assignment(holder, version)):
                raise InvariantViolated(
                    f"deployment {deployment_id}: version {version} was carried as held by {holder or 'nobody'}"
                    f" while {state.holder or 'nobody'} has it, at version {state.version}"
                )
            return Assignment(holder, version)
        case _:
            return state


def _follows(deployment_id: UUID, state: Assignment, version: int) -> None:
    if version != state.version + 1:
        fault = "is there twice" if version <= state.version else "leaves a gap"
        raise InvariantViolated(f"deployment {deployment_id}: version {version} {fault} after version {state.version}")
