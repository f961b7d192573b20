"""The ordering constraints and the pure fold say the same: what one accepts, the other accepts, whichever unit writes
it."""

from collections.abc import Iterator
from uuid import UUID, uuid4

import psycopg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nodeunit.domain.deployment import Assignment, evolve, initial_state
from nodeunit.domain.event import Event
from nodeunit.domain.events import DeploymentClaimed, DeploymentReleased
from nodeunit.errors import InvariantViolated
from tests.support.databases import Databases

INSERT = (
    "insert into assignment_order (deployment_id, version, assignment, holder, previous_version, previous_assignment) "
    "values (%s, %s, %s, %s, %s, %s)"
)


@pytest.fixture(scope="module")
def connection(timescale_databases: Databases) -> Iterator[psycopg.Connection]:
    with timescale_databases.fresh() as conninfo, psycopg.connect(conninfo, autocommit=True) as opened:
        yield opened


def accepted(connection: psycopg.Connection, *values: object) -> bool:
    try:
        connection.execute(INSERT, values)
    except psycopg.errors.IntegrityError:
        return False
    return True


def fold(state: Assignment, version: int, event: Event) -> Assignment | None:
    """The next state, or None where the fold refuses the event."""
    try:
        return evolve(state, version, event)
    except InvariantViolated:
        return None


steps = st.lists(st.tuples(st.integers(0, 6), st.sampled_from(["", "unit-1", "unit-2"])), max_size=20)


@settings(max_examples=150, deadline=None)
@given(steps=steps)
def test_the_constraints_accept_what_the_fold_accepts(
    connection: psycopg.Connection, steps: list[tuple[int, str]]
) -> None:
    """A version, and who has the row then: nobody after a release. The past is told as it must have been."""
    one = uuid4()
    connection.execute(INSERT, (one, 0, "free", "", None, None))
    state = initial_state()
    for version, holder in steps:
        event: Event = DeploymentClaimed(one, holder) if holder else DeploymentReleased(one, state.holder, "drained")
        following = fold(state, version, event)
        now, before = ("held", "free") if holder else ("free", "held")
        assert accepted(connection, one, version, now, holder, version - 1, before) == (following is not None)
        state = following or state
    assert last(connection, one) == state


anything = st.tuples(
    st.integers(-1, 4),
    st.sampled_from(["free", "held", "lent"]),
    st.sampled_from(["", "unit-1", "unit-2"]),
    st.none() | st.integers(-1, 4),
    st.none() | st.sampled_from(["free", "held", "lent"]),
)


@settings(max_examples=200, deadline=None)
@given(claims=st.lists(anything, max_size=40))
def test_no_row_whatsoever_makes_a_history_that_the_fold_refuses(
    connection: psycopg.Connection, claims: list[tuple[int, str, str, int | None, str | None]]
) -> None:
    one = uuid4()
    connection.execute(INSERT, (one, 0, "free", "", None, None))
    state = initial_state()
    for version, assignment, holder, previous_version, previous_assignment in claims:
        if accepted(connection, one, version, assignment, holder, previous_version, previous_assignment):
            event: Event = (
                DeploymentClaimed(one, holder) if holder else DeploymentReleased(one, state.holder, "drained")
            )
            state = evolve(state, version, event)
    assert last(connection, one) == state


def last(connection: psycopg.Connection, deployment_id: UUID) -> Assignment:
    row = connection.execute(
        "select holder, version from assignment_order where deployment_id = %s order by version desc limit 1",
        (deployment_id,),
    ).fetchone()
    assert row is not None
    return Assignment(*row)
