"""Whatever a column contains, and whatever a unit passes to a function, a real unit beside it continues."""

import json
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from psycopg import sql

from tests.support.rows import rows, value
from tests.support.unit_process import UnitProcess
from tests.support.waiting import eventually

pytestmark = pytest.mark.e2e

StartUnit = Callable[..., UnitProcess]

HUGE = "five megabytes"
"""Drawn in place of them."""

texts = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=20) | st.sampled_from(
    ["", "'", "\\", "../x", "-x", "--", "%s", "{}", "\u2028", "\U0001f600", "NaN", "null", "x" * 300]
)
scalars = (
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False, allow_infinity=False) | texts
)
jsons = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4), max_leaves=8
).map(json.dumps)
commands = st.sampled_from(["", "'", "\\", "/nowhere/\u2028", "/nowhere/%s {}", "sleep 1000", "x" * 300])
times = st.sampled_from(["-infinity", "infinity", "4713-01-01 BC", "294276-01-01", "now", "2001-01-01"])
# Not address_version, which no login but the owner may write.
columns: dict[str, st.SearchStrategy[Any]] = {
    "id": st.uuids().map(str) | st.just("00000000-0000-0000-0000-000000000000"),
    "package_name": texts,
    "package_version": texts,
    "command": commands,
    "args": jsons | st.just(HUGE) | st.lists(texts, max_size=3).map(json.dumps),
    "env": jsons | st.dictionaries(texts, texts, max_size=3).map(json.dumps),
    "type": st.sampled_from(["deployment", "daemon", "", "job"]),
    "address": texts,
    "enabled": st.booleans() | st.none(),
    "on_disconnect": st.sampled_from(["keep", "stop", ""]),
    "created_at": times,
    "updated_at": times,
    "revision": st.integers(-(2**31), 2**31 - 1),
}
statements = st.fixed_dictionaries({}, optional=columns).filter(bool)

numbers = st.sampled_from(["NaN", "Infinity", "-Infinity", "-1", "0", "1e308", "5e-324", None])
intervals = st.sampled_from(["-1 second", "0", "1 microsecond", "1 minute", "100000 years", None])
samples = st.lists(
    st.fixed_dictionaries({
        "deployment_id": st.uuids().map(str), "claim_version": st.integers(-9, 9),
        "cpu_percent": numbers | st.floats(0, 9), "memory_mb": numbers | st.floats(0, 9),
    }),
    max_size=3,
).map(json.dumps)  # fmt: skip
joined = st.fixed_dictionaries({
    "name": texts, "host": texts, "policy": texts | st.sampled_from(["deployment_count", "resource_usage", "none"]),
    "cpu_weight": numbers, "memory_weight": numbers, "trusted": texts | st.sampled_from(["(", ".*", "(a+)+$"]),
    "custom_command": st.booleans(), "version": texts, "reserved_cpu_percent": numbers, "reserved_memory_mb": numbers,
}).map(json.dumps)  # fmt: skip
JOINS = json.dumps({
    "name": "somebody", "host": "here", "policy": "none", "cpu_weight": 0.5, "memory_weight": 0.5, "trusted": ".*",
    "custom_command": False, "version": "0", "reserved_cpu_percent": 0, "reserved_memory_mb": 0,
})  # fmt: skip


def attempt(
    connection: psycopg.Connection[Any], statement: sql.SQL | sql.Composed, parameters: Sequence[Any] | dict[str, Any]
) -> bool:
    """Whether it is accepted. Refused or not: both are answers, but a defect of the server is none."""
    try:
        connection.execute(statement, parameters)
    except psycopg.Error as refused:
        if refused.sqlstate is None or refused.sqlstate[:2] in ("XX", "57", "58"):
            raise
        return False
    return True


async def unit_goes_on(database: str, unit: UnitProcess) -> None:
    """It runs what is inserted now, in the epoch in which it has joined."""
    (good,) = rows(
        database,
        "insert into deployment (package_name, package_version, command) values ('good', '1', 'sleep 1000') "
        "returning id",
    )
    await eventually(
        lambda: value(
            database,
            "select count(*) from event where type = 'ProcessStarted' and deployment_id = %s and unit_address = %s",
            (good["id"], unit.address),
        ),
        within_s=30,
        what="the unit runs a good row",
    )
    joins = "select count(*) from event where type = 'UnitJoined' and unit_address = %s"
    assert value(database, joins, (unit.address,)) == 1
    assert "Traceback" not in unit.log
    assert unit.process.poll() is None


@pytest.mark.timeout(180)
async def test_whatever_stands_in_a_row(database: str, start_unit: StartUnit) -> None:
    unit = start_unit(database, name="unit-1", NODE_UNIT_HEARTBEAT_INTERVAL="0.5", NODE_UNIT_STOP_GRACE="0.2")
    await unit_goes_on(database, unit)
    accepted: Counter[str] = Counter()
    with psycopg.connect(database, autocommit=True) as connection:

        @settings(max_examples=60, deadline=None, database=None, suppress_health_check=list(HealthCheck))
        @given(statements, statements)
        @example({"package_name": "@yuants/x", "package_version": "1"}, {"enabled": False})
        def fuzz(inserted: dict[str, Any], updated: dict[str, Any]) -> None:
            names = sql.SQL(", ").join(map(sql.Identifier, inserted))
            values = sql.SQL(", ").join(map(sql.Placeholder, inserted))
            for drawn in (inserted, updated):
                if drawn.get("args") == HUGE:
                    drawn["args"] = json.dumps(["z" * 5_000_000])
            insert = sql.SQL("insert into deployment ({}) values ({})").format(names, values)
            accepted["insert"] += attempt(connection, insert, inserted)
            changes = sql.SQL(", ").join(
                sql.SQL("{} = {}").format(sql.Identifier(name), sql.Placeholder(name)) for name in updated
            )
            which = sql.SQL("id = (select id from deployment where package_name <> 'good' order by random() limit 1)")
            update = sql.SQL("update deployment set {} where {}").format(changes, which)
            accepted["update"] += attempt(connection, update, updated)

        fuzz()
        assert accepted["insert"] > 0
        assert accepted["update"] > 0
        connection.execute("delete from deployment where package_name <> 'good' and random() < 0.5")
    await unit_goes_on(database, unit)


@pytest.mark.timeout(180)
async def test_whatever_another_unit_says(database: str, start_unit: StartUnit) -> None:
    unit = start_unit(database, name="unit-1", NODE_UNIT_HEARTBEAT_INTERVAL="0.5")
    await unit_goes_on(database, unit)
    address = "somebody"
    heartbeat = sql.SQL("select heartbeat(%s, %s, %s::interval, %s::interval, %s::float8, %s::float8, %s::jsonb)")
    accepted: Counter[str] = Counter()
    with psycopg.connect(database, autocommit=True) as connection:

        @settings(max_examples=60, deadline=None, database=None, suppress_health_check=list(HealthCheck))
        @given(joined, intervals, intervals, numbers, numbers, samples, jsons)
        @example(JOINS, "1 minute", "1 minute", "0", "0", "[]", "{}")
        def fuzz(
            data: str, ttl: str | None, inactive: str | None, cpu: str | None, memory: str | None, used: str, junk: str
        ) -> None:
            supervisor = uuid4()
            join = sql.SQL("select join_unit(%s, %s, %s::interval, %s::interval, %s::jsonb, gen_random_uuid())")
            connection.execute(
                "update lease set expires_at = renewed_at + interval '1 us' where address = %s", (address,)
            )
            accepted["join"] += attempt(connection, join, (address, supervisor, ttl, inactive, data))
            found = connection.execute("select epoch from lease where address = %s", (address,)).fetchone()
            epoch = found[0] if found else 1
            attempt(connection, heartbeat, (address, epoch, ttl, inactive, cpu, memory, used))
            attempt(connection, heartbeat, (address, epoch, ttl, inactive, cpu, memory, junk))
            attempt(connection, sql.SQL("select append_decisions(%s, %s, 0, %s::jsonb)"), (address, epoch, junk))
            claim = sql.SQL("select claim_deployment(%s, %s, 0, '[]', (select id from deployment limit 1), %s, %s, %s)")
            attempt(connection, claim, (address, epoch, epoch, junk, uuid4()))
            claims = sql.SQL("select claim_deployments(%s, %s, 0, %s::jsonb)")
            attempt(connection, claims, (address, epoch, junk))
            attempt(connection, claims, (address, epoch, f"[{junk}]"))
            release = sql.SQL("select release_deployment(%s, %s, %s, %s, %s, %s)")
            attempt(connection, release, (address, epoch, uuid4(), epoch, junk, uuid4()))
            attempt(connection, sql.SQL("select wake(%s, %s)"), (junk, data))
            attempt(connection, sql.SQL("select round_inputs(array[%s], %s)"), (junk, epoch))
            attempt(connection, sql.SQL("select suspect_units(%s, %s, array[%s], now())"), (address, epoch, junk))
            attempt(connection, sql.SQL("select pg_notify('nodeunit', left(%s, 7000))"), (junk,))

        fuzz()
        assert accepted["join"] > 0
        connection.execute("update deployment set address = '' where address = %s", (address,))
        connection.execute("update unit set cordoned = true where address = %s", (address,))
    await unit_goes_on(database, unit)
