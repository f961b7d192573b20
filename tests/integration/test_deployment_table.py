"""What people do to the table `deployment` in plain SQL: refused with a reason, or recorded and told once."""

from collections.abc import Iterator
from typing import Any, LiteralString
from uuid import UUID

import psycopg
import pytest
from psycopg.rows import dict_row

from nodeunit.domain.deployment import evolve, initial_state
from nodeunit.domain.event_json import decode
from nodeunit.errors import DatabaseError, DeploymentRefused, LogAppendOnly, NodeunitError
from nodeunit.store.postgres.connections import Pool, translate_error
from nodeunit.store.read import projections
from tests.support.members import join
from tests.support.rows import deployment, events, insert_deployments, rows, value

REPORT = b"""
    insert into deployment (package_name, package_version, enabled)
    select '@yuants/app-portal', '0.2.26', true from generate_series(1, 21);
"""


class Ear:
    """Hears the notifications of a database."""

    def __init__(self, conninfo: str) -> None:
        self._connection = psycopg.connect(conninfo, autocommit=True)
        self._connection.execute("listen nodeunit")

    def heard(self) -> list[str]:
        """The payloads since the last call, without their numbers; complete, because they arrive in commit order."""
        with psycopg.connect(self._connection.info.dsn, password=self._connection.info.password) as other:
            other.execute("select pg_notify('nodeunit', 'the end')")
        payloads: list[str] = []
        for notification in self._connection.notifies(timeout=10):
            if notification.payload == "the end":
                return payloads
            payloads.append(notification.payload.partition(" ")[2])
        raise AssertionError("the end was not heard")

    def close(self) -> None:
        self._connection.close()


@pytest.fixture
def ear(database: str) -> Iterator[Ear]:
    listening = Ear(database)
    yield listening
    listening.close()


def told(database: str, deployment_id: UUID) -> list[tuple[str, str, int]]:
    """Stream, type and version of each event of a deployment."""
    return [
        (event["stream_id"].partition("-")[0], event["type"], event["stream_version"])
        for event in events(database, deployment_id)
    ]


def refusal(database: str, statement: LiteralString, parameters: dict[str, Any] | None = None) -> NodeunitError:
    """What a person is told whose statement is refused."""
    with pytest.raises(psycopg.Error) as refused:
        rows(database, statement, parameters or {})
    return translate_error(refused.value)


@pytest.mark.parametrize(
    ("columns", "constraint"),
    [
        ("type = 'job'", "deployment_type_is_deployment_or_daemon"),
        ("type = ''", "deployment_type_is_deployment_or_daemon"),
        ("args = '{}'", "deployment_args_is_array_of_strings"),
        ("args = '[\"-p\", 80]'", "deployment_args_is_array_of_strings"),
        ("args = '[[\"-p\"]]'", "deployment_args_is_array_of_strings"),
        ("args = '[null]'", "deployment_args_is_array_of_strings"),
        ("args = 'null'", "deployment_args_is_array_of_strings"),
        ("env = '[]'", "deployment_env_is_object_of_strings"),
        ("env = '{\"PORT\": 80}'", "deployment_env_is_object_of_strings"),
        ('env = \'{"A": {"B": "c"}}\'', "deployment_env_is_object_of_strings"),
        ("env = '{\"A\": null}'", "deployment_env_is_object_of_strings"),
        ("type = 'daemon', address = 'unit-1'", "deployment_daemon_has_no_address"),
        ("on_disconnect = 'die'", "deployment_on_disconnect_is_keep_or_stop"),
        ("id = gen_random_uuid()", "deployment_id_is_fixed"),
        ("package_name = '../other'", "deployment_package_name_is_plain"),
        ("package_name = '@scope/../other'", "deployment_package_name_is_plain"),
        ("package_name = '--registry=x'", "deployment_package_name_is_plain"),
        ("package_name = 'a b'", "deployment_package_name_is_plain"),
        ("package_name = e'a\\nb'", "deployment_package_name_is_plain"),
        ("package_name = repeat('a', 215)", "deployment_package_name_is_plain"),
        ("package_name = 'app[../x]'", "deployment_package_name_is_plain"),
        ("package_name = 'app[]'", "deployment_package_name_is_plain"),
        ("package_version = '../1'", "deployment_package_version_is_plain"),
        ("package_version = '-1'", "deployment_package_version_is_plain"),
        ("package_version = 'file:x'", "deployment_package_version_is_plain"),
        ("package_version = repeat('1', 129)", "deployment_package_version_is_plain"),
        ("command = repeat('a', 65537)", "deployment_command_is_at_most_64_kib"),
        ("args = jsonb_build_array(repeat('a', 5000000))", "deployment_args_are_at_most_256_kib"),
        ("env = jsonb_build_object('A', repeat('a', 262144))", "deployment_env_is_at_most_256_kib"),
        ('env = \'{"": "b"}\'', "deployment_env_names_are_not_empty_and_without_equals_sign"),
        ('env = \'{"A=B": "c"}\'', "deployment_env_names_are_not_empty_and_without_equals_sign"),
    ],
)
def test_a_wrong_row_is_refused_by_a_constraint_that_says_why(
    database: str, columns: LiteralString, constraint: str
) -> None:
    insert_deployments(database)
    error = refusal(database, "update deployment set " + columns)
    assert isinstance(error, DeploymentRefused)
    assert f"constraint {constraint} refuses the row" in str(error)


@pytest.mark.parametrize("name", ["", "app", "@yuants/app-portal", "some.app_2", "@a.b/c~d"])
@pytest.mark.parametrize("version", ["", "0.2.26", "latest", "^1.2", ">=1.0 <2.0 || 3.x", "1.0.0-rc.1+b", "~1", "*"])
def test_names_and_versions_as_people_have_them(name: str, version: str, database: str) -> None:
    rows(database, "insert into deployment (package_name, package_version) values (%s, %s)", (name, version))


@pytest.mark.parametrize("column", ["package_name", "command", "args", "env", "type", "address", "enabled"])
def test_no_column_of_the_specification_is_null(database: str, column: LiteralString) -> None:
    insert_deployments(database)
    assert isinstance(refusal(database, "update deployment set " + column + " = null"), DatabaseError)


def test_the_statement_of_the_report_works_as_it_stands(database: str, ear: Ear) -> None:
    with psycopg.connect(database) as connection:
        result = connection.pgconn.exec_(REPORT)  # the simple query protocol, as psql uses it
        assert result.command_tuples == 21
        connection.commit()
    inserted = rows(database, "select * from deployment")
    assert len(inserted) == 21
    assert {(row["address"], row["address_version"], row["revision"], row["type"]) for row in inserted} == {
        ("", 0, 1, "deployment")
    }
    assert all(told(database, row["id"]) == [("deployment", "DeploymentCreated", 1)] for row in inserted)
    assert ear.heard() == ["deployment *"]


def test_what_people_do_is_recorded_and_told_once_a_statement(database: str, ear: Ear) -> None:
    a, b, c = insert_deployments(database, 3)
    assert ear.heard() == ["deployment *"]

    rows(database, "update deployment set package_version = '2.0.0', env = '{\"A\": \"b\"}', enabled = false")
    assert ear.heard() == ["deployment *"]
    changed, disabled = events(database, a)[1:]
    assert (changed["type"], changed["stream_version"], disabled["type"], disabled["stream_version"]) == (
        "DeploymentChanged", 2, "DeploymentDisabled", 3,
    )  # fmt: skip
    assert changed["data"]["changed"] == ["package_version", "env"]
    assert changed["data"]["env_names"] == ["A"]
    assert deployment(database, a)["revision"] == 3

    rows(database, "update deployment set enabled = true where id = any (%s)", ([a, b],))
    assert ear.heard() == ["deployment *"]
    assert told(database, b)[-1] == ("deployment", "DeploymentEnabled", 4)
    assert told(database, c)[-1] == ("deployment", "DeploymentDisabled", 3)

    rows(database, "delete from deployment where id <> %s", (a,))
    assert ear.heard() == ["deployment *"]
    assert told(database, c)[-1] == ("deployment", "DeploymentDeleted", 4)
    for event in rows(database, "select type, data::text as data from event"):
        assert decode(event["type"], event["data"]).__class__.__name__ == event["type"]


def test_what_changes_nothing_is_neither_recorded_nor_told(database: str, ear: Ear) -> None:
    (one,) = insert_deployments(database)
    ear.heard()
    rows(database, "update deployment set command = command, enabled = true, address = ''")
    rows(database, "update deployment set enabled = false where false")
    rows(database, "delete from deployment where false")
    rows(database, "insert into deployment (package_name) select 'x' where false")
    assert ear.heard() == []
    assert told(database, one) == [("deployment", "DeploymentCreated", 1)]
    assert deployment(database, one)["revision"] == 1


def test_what_the_database_counts_cannot_be_given(database: str) -> None:
    rows(
        database,
        "insert into deployment (package_name, revision, address_version, address_since) values ('x', 7, 7, now())",
    )
    (row,) = rows(database, "select * from deployment")
    assert (row["revision"], row["address_version"], row["address_since"]) == (1, 0, None)
    rows(database, "update deployment set revision = 9, updated_at = '2001-01-01'")
    (row,) = rows(database, "select *, updated_at > now() - interval '1 minute' as current from deployment")
    assert (row["revision"], row["current"]) == (1, True)


async def test_an_address_set_by_hand_is_an_assignment(database: str, pool: Pool, ear: Ear) -> None:
    await join(pool, "unit-1")
    await join(pool, "unit-2")
    (one,) = insert_deployments(database, address="unit-1")
    assert ear.heard() == ["deployment *"]
    rows(database, "update deployment set address = 'unit-2'")
    assert ear.heard() == ["deployment *"]
    rows(database, "update deployment set address = '', package_version = '2.0.0'")
    rows(database, "delete from deployment")
    assert ear.heard() == ["deployment *", "deployment *"]
    assert [each for each in told(database, one) if each[0] == "assignment"] == [
        ("assignment", "DeploymentAssigned", 1),
        ("assignment", "DeploymentReleased", 2),
        ("assignment", "DeploymentAssigned", 3),
        ("assignment", "DeploymentReleased", 4),
    ]
    state = initial_state()
    for event in events(database, one):
        if event["stream_id"].startswith("assignment-"):
            data = value(database, "select data::text from event where event_id = %s", (event["event_id"],))
            state = evolve(state, event["stream_version"], decode(event["type"], data))
    assert state == ("", 4)


async def test_deleting_a_held_row_releases_it(database: str, pool: Pool) -> None:
    await join(pool, "unit-1")
    (one,) = insert_deployments(database, address="unit-1")
    rows(database, "delete from deployment")
    assert told(database, one)[-2:] == [
        ("assignment", "DeploymentReleased", 2),
        ("deployment", "DeploymentDeleted", 2),
    ]
    assert events(database, one)[-2]["data"] == {
        "deployment_id": str(one), "holder": "unit-1", "reason": "deleted",
    }  # fmt: skip
    assert await projections.verify(database) == []


async def test_the_id_of_a_deleted_row_comes_back_and_its_streams_go_on(database: str, pool: Pool) -> None:
    await join(pool, "unit-1")
    (one,) = insert_deployments(database, address="unit-1")
    for _ in range(2):
        rows(database, "delete from deployment")
        rows(database, "insert into deployment (id, address) values (%s, 'unit-1')", (one,))
    rows(database, "update deployment set enabled = false")
    found = deployment(database, one)
    assert (found["revision"], found["address"], found["address_version"]) == (6, "unit-1", 5)
    assert told(database, one) == [
        ("deployment", "DeploymentCreated", 1), ("assignment", "DeploymentAssigned", 1),
        ("assignment", "DeploymentReleased", 2), ("deployment", "DeploymentDeleted", 2),
        ("deployment", "DeploymentCreated", 3), ("assignment", "DeploymentAssigned", 3),
        ("assignment", "DeploymentReleased", 4), ("deployment", "DeploymentDeleted", 4),
        ("deployment", "DeploymentCreated", 5), ("assignment", "DeploymentAssigned", 5),
        ("deployment", "DeploymentDisabled", 6),
    ]  # fmt: skip
    assert await projections.verify(database) == []
    assert [row["id"] for row in rows(database, "select deployment_id as id from deployments_at('infinity')")] == [one]


def test_an_address_that_nobody_has_is_refused(database: str) -> None:
    insert_deployments(database)
    error = refusal(database, "update deployment set address = 'nobody'")
    assert isinstance(error, DeploymentRefused)
    assert "no unit ever joined under the address nobody" in str(error)
    assert isinstance(refusal(database, "insert into deployment (address) values ('nobody')"), DeploymentRefused)
    assert value(database, "select count(*) from deployment where address <> ''") == 0


async def test_one_wrong_row_refuses_the_whole_statement(database: str, pool: Pool) -> None:
    await join(pool, "unit-1")
    a, b = insert_deployments(database, 2)
    refusal(
        database,
        "update deployment set address = case id when %(a)s then 'unit-1' else 'nobody' end",
        {"a": a},
    )
    assert told(database, a) == told(database, b) == [("deployment", "DeploymentCreated", 1)]


def test_truncate_is_refused(database: str) -> None:
    insert_deployments(database)
    assert isinstance(refusal(database, "truncate deployment"), LogAppendOnly)
    assert isinstance(refusal(database, "truncate deployment cascade"), LogAppendOnly)


async def test_the_values_of_env_are_nowhere_in_the_log(database: str, pool: Pool, ear: Ear) -> None:
    await join(pool, "unit-1")
    rows(database, "insert into deployment (env, address) values ('{\"TOKEN\": \"hunter2\"}', 'unit-1')")
    rows(database, 'update deployment set env = \'{"TOKEN": "hunter2", "OTHER": "hunter2"}\'')
    rows(database, "update deployment set enabled = false, address = ''")
    rows(database, "delete from deployment")
    everything = rows(database, "select e::text as text from event e")
    assert len(everything) == 7
    assert "TOKEN" in str(everything)
    assert "hunter2" not in str(everything)
    assert "hunter2" not in str(ear.heard())


def test_who_did_it_is_recorded(database: str) -> None:
    insert_deployments(database)
    (event,) = events(database)
    with psycopg.connect(database, row_factory=dict_row) as connection:
        assert event["data"]["by"] == connection.info.user


def test_a_statement_rolled_back_leaves_no_trace(database: str, ear: Ear) -> None:
    with psycopg.connect(database) as connection:
        connection.execute("insert into deployment default values")
        connection.rollback()
    assert events(database) == []
    assert value(database, "select count(*) from assignment_order") == 0
    assert ear.heard() == []


@pytest.mark.parametrize(
    ("name", "version"),
    [
        ("uvicorn[standard,extra_1]", ">=1,!=1.3"),
        ("@scope/app", "^1.2 || ~2.0"),
        ("app", "1!2.0rc1+local"),
        ("app", ""),
    ],
)
def test_names_and_versions_of_both_registries_are_accepted(database: str, name: str, version: str) -> None:
    rows(database, "insert into deployment (package_name, package_version) values (%s, %s)", (name, version))
