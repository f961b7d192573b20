"""The fold of assignments under any events: it accepts the legal histories and no others, and never two holders."""

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from nodeunit.domain.deployment import Assignment, evolve, initial_state
from nodeunit.domain.event import Event
from nodeunit.domain.events import DeploymentAssigned, DeploymentClaimed, DeploymentReleased
from nodeunit.errors import InvariantViolated

ID = UUID(int=1)
units = st.sampled_from(["a", "b", "c"])
events = st.one_of(
    st.builds(DeploymentClaimed, st.just(ID), units),
    st.builds(DeploymentAssigned, st.just(ID), units, st.just("postgres")),
    st.builds(DeploymentReleased, st.just(ID), units, st.just("drained")),
)


def legal(holder: str, event: Event) -> bool:
    if isinstance(event, DeploymentReleased):
        return event.holder == holder
    return holder == ""


@given(st.lists(st.tuples(events, st.sampled_from([0, 1, 1, 1, 2])), max_size=30))
def test_the_next_version_of_a_legal_event_and_nothing_else_is_accepted(history: list[tuple[Event, int]]) -> None:
    state = initial_state()
    for event, step in history:
        if step == 1 and legal(state.holder, event):
            before = state
            state = evolve(state, state.version + 1, event)
            assert state.version == before.version + 1
            assert (state.holder == "") == isinstance(event, DeploymentReleased)
        else:
            with pytest.raises(InvariantViolated):
                evolve(state, state.version + step, event)


class Log(RuleBasedStateMachine):
    """Units append to one log with an expected version that may be old; every reader folds the same."""

    def __init__(self) -> None:
        super().__init__()
        self.log: list[Event] = []
        self.seen: dict[str, Assignment] = {}

    def fold(self) -> Assignment:
        state = initial_state()
        for version, event in enumerate(self.log, start=1):
            state = evolve(state, version, event)
        return state

    @rule(unit=units)
    def look(self, unit: str) -> None:
        self.seen[unit] = self.fold()

    @precondition(lambda self: self.seen)
    @rule(data=st.data())
    def append_on_what_was_seen(self, data: st.DataObject) -> None:
        unit = data.draw(st.sampled_from(sorted(self.seen)))
        seen = self.seen.pop(unit)
        if seen.version != len(self.log):
            return  # a conflict: the version is taken
        if seen.holder == "":
            self.log.append(DeploymentClaimed(ID, unit))
        elif seen.holder == unit:
            self.log.append(DeploymentReleased(ID, unit, "drained"))
        else:
            self.log.append(DeploymentReleased(ID, seen.holder, "unit_lost"))
            self.log.append(DeploymentClaimed(ID, unit))

    @invariant()
    def the_log_folds(self) -> None:
        assert self.fold().version == len(self.log)


TestLog = Log.TestCase
