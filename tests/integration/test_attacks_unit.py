"""A malicious unit: a login that is enrolled for unit-1, and what it tries against unit-2 and against the fleet."""

from datetime import timedelta
from typing import Any, LiteralString, NamedTuple
from uuid import UUID, uuid4

import psycopg
import pytest

from nodeunit.domain.events import EVENT_TYPES
from nodeunit.errors import ArgumentRefused, DeploymentRefused, LoginOfAnother
from nodeunit.store.postgres.connections import Pool, translate_error
from nodeunit.store.read import projections
from nodeunit.store.write.membership import Membership
from tests.support.logins import Login
from tests.support.members import join
from tests.support.rows import deployment, events, insert_deployments, rows, value


class Attacker(NamedTuple):
    """The login of unit-1, in a fleet with unit-2, which holds a row."""

    conninfo: str
    mine: Membership
    other: Membership
    row: UUID
    free: UUID

    def refused(self, statement: LiteralString, **parameters: Any) -> Exception:
        """What the statement becomes for the program that sends it; it must be refused."""
        known = {"mine": self.mine.epoch, "other": self.other.epoch, "row": self.row, "free": self.free, "id": uuid4()}
        with pytest.raises(psycopg.Error) as refused:
            rows(self.conninfo, statement, {**known, **parameters})
        return translate_error(refused.value)


@pytest.fixture
async def attacker(database: str, pool: Pool, login: Login) -> Attacker:
    mine, other = await join(pool, "unit-1"), await join(pool, "unit-2")
    (row,) = insert_deployments(database, address="unit-2")
    (free,) = insert_deployments(database)
    return Attacker(login(unit="unit-1"), mine, other, row, free)


IN_THE_NAME_OF_ANOTHER: dict[str, LiteralString] = {
    "joins": "select join_unit('unit-2', gen_random_uuid(), '10 s', '5 s', '{}', gen_random_uuid())",
    "joins under a new name": "select join_unit('unit-9', gen_random_uuid(), '10 s', '5 s', '{}', gen_random_uuid())",
    "renews": "select heartbeat('unit-2', %(other)s, '10 s', '5 s', 0, 0, '[]')",
    "leaves": "select leave_unit('unit-2', %(other)s, %(id)s)",
    "drains": "select begin_draining('unit-2', %(other)s, %(id)s)",
    "ends a drain": "select end_drain('unit-2', %(other)s, %(id)s)",
    "says that its supervisor died": "select record_supervisor_death('unit-2', %(other)s, %(id)s)",
    "claims": "select claim_deployment('unit-2', %(other)s, 0, '[]', %(free)s, 0, '', %(id)s)",
    "claims several": "select claim_deployments('unit-2', %(other)s, 0, '[]')",
    "releases": "select release_deployment('unit-2', %(other)s, %(row)s, 1, 'drained', %(id)s)",
    "appends": "select append_decisions('unit-2', %(other)s, 0, '[]')",
    "locks its lease": "select stream_version_now('unit-2', %(other)s)",
    "declares lost": "select declare_units_lost('unit-2', %(other)s, '{unit-1}')",
    "declares lost, as before": "select declare_lost('unit-2', %(other)s, 'unit-1', %(id)s)",
    "suspects": "select suspect_units('unit-2', %(other)s, '{unit-1}', now())",
    "doubts, as before": "select doubt_units('unit-2', %(other)s, '{unit-1}', now())",
    "records an installation": "select record_install('unit-2', %(other)s, %(row)s, 'npm', 'a', '1', '1', '', '', 1)",
    "sends its logs": "select serve_logs('unit-2', '{}', '{}', '{}', '{}', '{}', '[]')",
}


@pytest.mark.parametrize("attempt", IN_THE_NAME_OF_ANOTHER)
def test_it_does_nothing_in_the_name_of_another(database: str, attacker: Attacker, attempt: str) -> None:
    count = value(database, "select count(*) from event")
    assert isinstance(attacker.refused(IN_THE_NAME_OF_ANOTHER[attempt]), LoginOfAnother)
    assert value(database, "select count(*) from event") == count


def types_of_the_log() -> list[str]:
    return sorted(EVENT_TYPES)


@pytest.mark.parametrize("type_name", types_of_the_log())
def test_it_appends_only_what_a_unit_says_by_itself(database: str, attacker: Attacker, type_name: str) -> None:
    statement: LiteralString = (
        "select append_decisions('unit-1', %(mine)s, 0, jsonb_build_array(jsonb_build_object("
        "'event_id', %(id)s::uuid, 'type', %(type)s::text, 'deployment_id', %(row)s::uuid, 'data', '{}'::jsonb)))"
    )
    decided_by_the_database = type_name.startswith(("Deployment", "Unit", "Log", "Assignment", "Decisions")) and not (
        type_name.startswith(("DeploymentClaim", "UnitListener", "UnitSample", "UnitExh", "UnitRec"))
        or type_name in ("DeploymentUnusable", "UnitSupervisorSilent")
    )
    if decided_by_the_database or type_name == "DeploymentClaimed":
        assert isinstance(attacker.refused(statement, type=type_name), ArgumentRefused)
    else:
        assert value(database, "select may_append(%s)", (type_name,)), "or no unit could say it"
    assert not [e for e in events(database, attacker.row) if e["type"] == type_name and e["unit_address"] == "unit-1"]


OUT_OF_RANGE: dict[str, LiteralString] = {
    "a lease of 100 years": "select join_unit('unit-1', %(id)s, '100 years', '5 s', '{}', %(id)s)",
    "an infinite lease": "select join_unit('unit-1', %(id)s, '1000000000 hours', '5 s', '{}', %(id)s)",
    "a negative lease": "select join_unit('unit-1', %(id)s, '-1 s', '5 s', '{}', %(id)s)",
    "no lease": "select join_unit('unit-1', %(id)s, null, '5 s', '{}', %(id)s)",
    "never inactive": "select join_unit('unit-1', %(id)s, '10 s', '100 years', '{}', %(id)s)",
    "an event of no type": "select append_decisions('unit-1', %(mine)s, 0, '[{}]')",
    "an event of another type": "select append_decisions('unit-1', %(mine)s, 0, '[{\"type\": \"Mine\"}]')",
    "no events": "select append_decisions('unit-1', %(mine)s, 0, null)",
    "a stream before its beginning": "select append_decisions('unit-1', %(mine)s, -9, '[]')",
    "a reason of its own": "select release_deployment('unit-1', %(mine)s, %(row)s, 1, E'a\\u001bb', %(id)s)",
    "a claim without an id": "select claim_deployment('unit-1', %(mine)s, 0, '[]', %(free)s, 0, '', null)",
    "a claim that is none": "select claim_deployments('unit-1', %(mine)s, 0, '[{}]')",
    "claims of no form": "select claim_deployments('unit-1', %(mine)s, 0, '{\"a\": 1}')",
    "no claims": "select claim_deployments('unit-1', %(mine)s, 0, null)",
    "a claim with an event that is not its own": (
        "select claim_deployments('unit-1', %(mine)s, 0, jsonb_build_array(jsonb_build_object("
        "'deployment_id', %(free)s::uuid, 'version', 0, 'holder', '', 'event_id', %(id)s::uuid, "
        "'events', '[{\"type\": \"UnitLost\"}]'::jsonb)))"
    ),
    "a wake-up of no form": "select wake('unit', E'\\u001b[2J')",
    "a word that is none": "select wake('un it', '*')",
    "too many probes": "select probe_units(array(select 'u' || n from generate_series(1, 1001) n))",
}


@pytest.mark.parametrize("attempt", OUT_OF_RANGE)
def test_what_it_says_must_be_in_range(database: str, attacker: Attacker, attempt: str) -> None:
    before = rows(database, "select address, epoch, expires_at from lease order by 1")
    assert isinstance(attacker.refused(OUT_OF_RANGE[attempt]), ArgumentRefused)
    assert rows(database, "select address, epoch, expires_at from lease order by 1") == before
    assert value(database, "select count(*) from unusable_deployment") == 0


JOINS: dict[str, str] = {
    "unit_name_has_no_control_characters": '{"name": "\\u001b[2J"}',
    "unit_host_has_no_control_characters": '{"host": "a\\nb"}',
    "unit_version_has_no_control_characters": '{"version": "\\u0007"}',
    "unit_trusted_is_at_most_4096_characters": '{"trusted": "' + "a" * 4097 + '"}',
    "unit_weights_are_finite": '{"cpu_weight": "nan", "memory_weight": 1}',
    "unit_reservations_are_finite": '{"reserved_cpu_percent": "-1", "reserved_memory_mb": "inf"}',
    "unit_policy_is_known": '{"policy": "mine"}',
    "unit_is_an_object_of_at_most_256_kib": '{"secrets": ["' + "a" * 262144 + '"]}',
}


@pytest.mark.parametrize("rule", JOINS)
def test_what_it_says_of_itself_breaks_no_rule(attacker: Attacker, rule: str) -> None:
    error = attacker.refused("select join_unit('unit-1', %(id)s, '10 s', '5 s', %(data)s, %(id)s)", data=JOINS[rule])
    assert isinstance(error, DeploymentRefused)
    assert rule in str(error)


def test_its_heartbeats_renew_the_lease_for_no_longer_than_it_said(database: str, attacker: Attacker) -> None:
    rows(
        attacker.conninfo,
        "select heartbeat('unit-1', %s, '100 years', '100 years', 0, 0, '[]')",
        (attacker.mine.epoch,),
    )
    lease = rows(database, "select expires_at - renewed_at as ttl, inactive_at - renewed_at as inactive from lease "
                           "where address = 'unit-1'")[0]  # fmt: skip
    assert lease == {"ttl": timedelta(seconds=60), "inactive": timedelta(seconds=30)}


def test_its_samples_of_the_rows_of_others_count_for_nobody(database: str, attacker: Attacker) -> None:
    sample = '[{"deployment_id": "%s", "claim_version": %d, "cpu_percent": 1e15, "memory_mb": 1e15}]'
    for version in (1, 2**31 - 1):
        rows(
            attacker.conninfo, "select heartbeat('unit-1', %s, '10 s', '5 s', 0, 0, %s)",
            (attacker.mine.epoch, sample % (attacker.row, version)),
        )  # fmt: skip
    assert value(database, "select count(*) from current_usage") == 0


def test_it_locks_no_row_of_another(database: str, attacker: Attacker) -> None:
    with psycopg.connect(attacker.conninfo) as connection:
        found = connection.execute("select first_unlocked_deployment(%s)", ([attacker.row, attacker.free],)).fetchone()
        assert found == (None,)
        rows(database, "select from deployment for update nowait")


async def test_it_takes_no_row_of_a_unit_that_lives(database: str, attacker: Attacker) -> None:
    rows(
        attacker.conninfo, "select claim_deployment('unit-1', %s, 0, '[]', %s, 1, 'unit-2', gen_random_uuid())",
        (attacker.mine.epoch, attacker.row),
    )  # fmt: skip
    rows(
        attacker.conninfo,
        "select claim_deployments('unit-1', %s, 1, jsonb_build_array(jsonb_build_object('deployment_id', %s::uuid, "
        "'version', 1, 'holder', 'unit-2', 'event_id', gen_random_uuid(), 'events', '[]'::jsonb)))",
        (attacker.mine.epoch, attacker.row),
    )
    assert deployment(database, attacker.row)["address"] == "unit-2"
    assert [event["type"] for event in events(database, attacker.row)].count("DeploymentClaimSkipped") == 2
    assert rows(attacker.conninfo, "select declare_units_lost('unit-1', %s, '{unit-2}')", (attacker.mine.epoch,)) == [
        {"declare_units_lost": []}
    ]
    assert await projections.verify(database) == []


def test_a_login_that_is_not_enrolled_is_no_unit(attacker: Attacker, login: Login) -> None:
    for name in ("unit-1", "unit-9"):
        nobody = attacker._replace(conninfo=login("nodeunit_unit"))
        error = nobody.refused("select join_unit(%(name)s, %(id)s, '10 s', '5 s', '{}', %(id)s)", name=name)
        assert isinstance(error, LoginOfAnother)
        assert "nodeunit enroll" in str(error)


def test_a_revoked_login_is_no_unit_at_once(database: str, attacker: Attacker) -> None:
    heartbeat: LiteralString = "select heartbeat('unit-1', %s, '10 s', '5 s', 0, 0, '[]')"
    with psycopg.connect(attacker.conninfo, autocommit=True) as still_open:
        still_open.execute(heartbeat, (attacker.mine.epoch,))
        user = still_open.info.user
        assert value(database, "select revoke_unit(%s)", (user,)) == "unit-1"
        for attempt in (heartbeat, "select append_decisions('unit-1', %s, 0, '[]')"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                still_open.execute(attempt, (attacker.mine.epoch,))
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(attacker.conninfo)


def test_in_a_fleet_of_before_a_login_that_is_not_enrolled_is_any_unit_without_one(
    database: str, attacker: Attacker, login: Login
) -> None:
    """So that no upgrade locks a unit out; enrolling the units one by one closes it, and then the owner says so."""
    old = attacker._replace(conninfo=login("nodeunit_unit"))
    rows(database, "select require_enrolled_logins(false)")
    heartbeat: LiteralString = "select heartbeat('unit-2', %s, '10 s', '5 s', 0, 0, '[]')"
    rows(old.conninfo, heartbeat, (attacker.other.epoch,))
    assert isinstance(attacker.refused(heartbeat.replace("%s", "%(other)s")), LoginOfAnother)
    assert isinstance(old.refused(IN_THE_NAME_OF_ANOTHER["renews"].replace("unit-2", "unit-1")), LoginOfAnother)
    rows(database, "select require_enrolled_logins(true)")
    assert isinstance(old.refused(IN_THE_NAME_OF_ANOTHER["renews"]), LoginOfAnother)
