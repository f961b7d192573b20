"""The ordering constraints and the append-only log, against a superuser who types SQL by hand."""

from typing import LiteralString
from uuid import UUID

import psycopg
import pytest

from nodeunit.errors import LogAppendOnly
from nodeunit.store.postgres.connections import Pool, translate_error
from tests.support.members import join
from tests.support.rows import insert_deployments, rows, value

ASSIGNMENT: LiteralString = (
    "insert into assignment_order "
    "(deployment_id, version, assignment, holder, previous_version, previous_assignment) values (%(id)s, "
)


@pytest.fixture
async def held(database: str, pool: Pool) -> UUID:
    """A deployment that unit-1 holds, at version 1."""
    await join(pool, "unit-1")
    (one,) = insert_deployments(database, address="unit-1")
    return one


@pytest.mark.parametrize(
    ("values", "constraint"),
    [
        ("1, 'held', 'unit-2', 0, 'free')", "assignment_order_has_one_event_per_version"),
        ("1, 'free', '', 0, 'held')", "assignment_order_has_one_event_per_version"),
        ("0, 'free', '', null, null)", "assignment_order_has_one_event_per_version"),
        ("2, 'held', 'unit-2', 1, 'held')", "assignment_order_claims_only_what_is_free"),
        ("2, 'held', 'unit-2', 1, 'free')", "assignment_order_invents_no_past"),
        ("2, 'held', 'unit-2', 0, 'free')", "assignment_order_has_no_gap"),
        ("3, 'held', 'unit-2', 2, 'free')", "assignment_order_invents_no_past"),
        ("3, 'free', '', 1, 'held')", "assignment_order_has_no_gap"),
        ("-1, 'held', 'unit-2', -2, 'free')", "assignment_order_invents_no_past"),
        ("2, 'free', '', null, null)", "assignment_order_starts_free_at_zero"),
        ("2, 'free', '', 1, null)", "assignment_order_starts_free_at_zero"),
        ("2, 'free', '', null, 'held')", "assignment_order_starts_free_at_zero"),
        ("2, 'free', 'unit-1', 1, 'held')", "assignment_order_holder_exactly_when_held"),
        ("2, 'lent', '', 1, 'held')", "assignment_order_is_free_or_held"),
    ],
)
def test_an_illegal_assignment_is_refused_by_name(
    database: str, held: UUID, values: LiteralString, constraint: str
) -> None:
    with pytest.raises(psycopg.errors.IntegrityError) as refused:
        rows(database, ASSIGNMENT + values, {"id": held})
    assert refused.value.diag.constraint_name == constraint


@pytest.mark.parametrize("values", ["0, 'held', 'unit-1', null, null)", "5, 'free', '', null, null)"])
def test_a_history_starts_free_at_zero(database: str, values: LiteralString) -> None:
    with pytest.raises(psycopg.errors.CheckViolation) as refused:
        rows(database, ASSIGNMENT + values, {"id": UUID(int=1)})
    assert refused.value.diag.constraint_name == "assignment_order_starts_free_at_zero"


def test_a_release_of_what_nobody_holds_is_refused(database: str) -> None:
    (free,) = insert_deployments(database)
    with pytest.raises(psycopg.errors.CheckViolation) as refused:
        rows(database, ASSIGNMENT + "1, 'free', '', 0, 'free')", {"id": free})
    assert refused.value.diag.constraint_name == "assignment_order_claims_only_what_is_free"


@pytest.mark.parametrize(
    ("values", "constraint"),
    [
        ("'unit-1', 1, 'present', null, null", "membership_order_has_one_event_per_version"),
        ("'unit-1', 3, 'present', 2, 'present'", "membership_order_invents_no_past"),
        ("'unit-1', 3, 'present', 1, 'present'", "membership_order_has_no_gap"),
        ("'unit-1', 2, 'present', 1, 'absent'", "membership_order_invents_no_past"),
        ("'unit-1', 2, 'away', 1, 'present'", "membership_order_is_present_or_absent"),
        ("'unit-1', 2, 'present', null, null", "membership_order_starts_present_at_one"),
        ("'unit-9', 1, 'absent', null, null", "membership_order_starts_present_at_one"),
    ],
)
async def test_an_illegal_membership_is_refused_by_name(
    database: str, pool: Pool, values: LiteralString, constraint: str
) -> None:
    await join(pool, "unit-1")
    with pytest.raises(psycopg.errors.IntegrityError) as refused:
        rows(database, "insert into membership_order values (" + values + ")")
    assert refused.value.diag.constraint_name == constraint


async def test_a_unit_is_lost_once(database: str, pool: Pool) -> None:
    await join(pool, "unit-1")
    rows(database, "insert into membership_order values ('unit-1', 2, 'absent', 1, 'present')")
    with pytest.raises(psycopg.errors.CheckViolation) as refused:
        rows(database, "insert into membership_order values ('unit-1', 3, 'absent', 2, 'absent')")
    assert refused.value.diag.constraint_name == "membership_order_loses_only_who_is_present"


@pytest.mark.parametrize("table", ["event", "assignment_order", "membership_order"])
@pytest.mark.parametrize("statement", ["update {} set {} = {}", "delete from {}", "truncate {}", "truncate {} cascade"])
def test_the_log_and_its_order_are_append_only(database: str, held: UUID, table: str, statement: str) -> None:
    version = "stream_version" if table == "event" else "version"
    before = value(database, "select count(*) from " + table)
    with pytest.raises(psycopg.Error) as refused:
        rows(database, statement.format(table, version, version))
    assert isinstance(translate_error(refused.value), LogAppendOnly)
    assert value(database, "select count(*) from " + table) == before > 0


@pytest.mark.parametrize("statement", ["update {} set type = 'Other'", "delete from {}"])
def test_chunks_are_append_only_too(database: str, held: UUID, statement: str) -> None:
    chunk = value(database, "select distinct tableoid::regclass::text from event")
    with pytest.raises(psycopg.Error) as refused:
        rows(database, statement.format(chunk))
    assert isinstance(translate_error(refused.value), LogAppendOnly)


@pytest.mark.parametrize("table", ["event", "assignment_order", "membership_order"])
async def test_without_timescaledb_they_are_append_only_as_well(plain_database: str, table: str) -> None:
    insert_deployments(plain_database)
    if table == "membership_order":
        rows(plain_database, "insert into membership_order values ('unit-1', 1, 'present', null, null)")
    for statement in ("delete from ", "truncate "):
        with pytest.raises(psycopg.Error) as refused:
            rows(plain_database, statement + table)
        assert isinstance(translate_error(refused.value), LogAppendOnly)


def test_an_event_has_a_positive_version(database: str) -> None:
    with pytest.raises(psycopg.errors.CheckViolation) as refused:
        rows(database, "insert into event (stream_id, stream_version, type) values ('s', 0, 'T')")
    assert refused.value.diag.constraint_name == "event_stream_version_is_positive"
