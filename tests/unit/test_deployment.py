"""The fold of assignment events, and each history that it refuses."""

from uuid import UUID

import pytest

from nodeunit.domain.deployment import Assignment, evolve, initial_state
from nodeunit.domain.event import Event
from nodeunit.domain.events import (
    DeploymentAssigned,
    DeploymentClaimed,
    DeploymentDisabled,
    DeploymentReleased,
    Unknown,
)
from nodeunit.domain.snapshot_events import AssignmentSnapshot
from nodeunit.errors import InvariantViolated

ID = UUID(int=7)
FREE = initial_state()
HELD = Assignment("a", 3)
CLAIM = DeploymentClaimed(ID, "b")
BY_HAND = DeploymentAssigned(ID, "b", "postgres")


def test_a_life() -> None:
    state = FREE
    for version, event, holder in [
        (1, DeploymentClaimed(ID, "a"), "a"),
        (2, DeploymentReleased(ID, "a", "unit_lost"), ""),
        (3, DeploymentClaimed(ID, "b"), "b"),
        (4, DeploymentReleased(ID, "b", "by_hand"), ""),
        (5, DeploymentAssigned(ID, "c", "postgres"), "c"),
    ]:
        state = evolve(state, version, event)
        assert state == Assignment(holder, version)


@pytest.mark.parametrize("known", [FREE, HELD])
def test_a_snapshot_of_an_assignment_begins_a_history_or_repeats_it(known: Assignment) -> None:
    assert evolve(known, 3, AssignmentSnapshot(ID, "a", "")) == HELD


@pytest.mark.parametrize("event", [DeploymentDisabled("postgres"), Unknown("DeploymentPromoted", {})])
def test_other_events_change_nothing(event: Event | Unknown) -> None:
    assert evolve(HELD, 99, event) == HELD


@pytest.mark.parametrize(
    ("state", "version", "event", "message"),
    [
        (FREE, 2, CLAIM, "leaves a gap after version 0"),
        (FREE, 0, CLAIM, "is there twice after version 0"),
        (Assignment("", 4), 4, CLAIM, "is there twice after version 4"),
        (HELD, 5, DeploymentReleased(ID, "a", "drained"), "leaves a gap after version 3"),
        (HELD, 4, CLAIM, "gives it to b while a has it"),
        (HELD, 4, DeploymentClaimed(ID, "a"), "gives it to a while a has it"),
        (HELD, 4, BY_HAND, "gives it to b while a has it"),
        (FREE, 1, DeploymentClaimed(ID, ""), "gives it to nobody"),
        (HELD, 4, DeploymentReleased(ID, "b", "drained"), "takes it from b while a has it"),
        (FREE, 1, DeploymentReleased(ID, "a", "drained"), "takes it from a while nobody has it"),
        (FREE, 1, DeploymentReleased(ID, "", "drained"), "takes it from nobody while nobody has it"),
        (HELD, 3, AssignmentSnapshot(ID, "b", ""), "is a snapshot held by b while a has it, at version 3"),
        (HELD, 9, AssignmentSnapshot(ID, "a", ""), "is a snapshot held by a while a has it, at version 3"),
        (HELD, 3, AssignmentSnapshot(ID, "", ""), "is a snapshot held by nobody while a has it, at version 3"),
    ],
)
def test_what_cannot_have_happened_is_refused(state: Assignment, version: int, event: Event, message: str) -> None:
    with pytest.raises(InvariantViolated) as raised:
        evolve(state, version, event)
    assert str(raised.value) == f"deployment {ID}: version {version} {message}"
