"""A new row wakes as many units as can be needed, and says which; what concerns all wakes all."""

from collections.abc import Iterator

import psycopg
import pytest

from nodeunit.domain.policy import Usage
from nodeunit.store.postgres.connections import Pool
from nodeunit.store.write.decisions import Claim, DecisionStream
from tests.support.members import candidate, join, leading_up_to
from tests.support.rows import insert_deployments, rows, value


@pytest.fixture
def heard(database: str) -> Iterator[psycopg.Connection]:
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("listen nodeunit")
        yield connection


def woken(heard: psycopg.Connection) -> list[str]:
    """Whom the notifications since the last time were for."""
    heard.execute("select 1")
    return [notify.payload.split(" ", 2)[2] for notify in heard.notifies(timeout=0.2)]


async def test_one_row_wakes_the_lowest_and_one_who_watches(
    database: str, pool: Pool, heard: psycopg.Connection
) -> None:
    units = [await join(pool, f"unit-{n}") for n in range(8)]
    for unit in units[:5]:
        stream = DecisionStream(unit)
        for row in insert_deployments(database, 2):
            assert await stream.claim(Claim(candidate(database, row), leading_up_to(unit.address, row)))
    woken(heard)
    insert_deployments(database)
    assert woken(heard) == ["unit-5,unit-6"]
    insert_deployments(database, 3)
    assert woken(heard) == ["unit-0,unit-5,unit-6,unit-7"]
    insert_deployments(database, 6)
    assert woken(heard) == ["*"], "all but one are nearly all"


async def test_by_usage_it_is_who_uses_least_with_what_it_has_claimed_since(
    database: str, pool: Pool, heard: psycopg.Connection
) -> None:
    units = [await join(pool, f"unit-{n}", policy="resource_usage") for n in range(8)]
    for n, unit in enumerate(units):
        await unit.heartbeat(Usage(10.0 - n, 0), [])
    woken(heard)
    insert_deployments(database)
    assert woken(heard) == ["unit-6,unit-7"]
    stream = DecisionStream(units[7])
    for row in insert_deployments(database, 6):
        assert await stream.claim(Claim(candidate(database, row), leading_up_to("unit-7", row)))
    woken(heard)
    insert_deployments(database)
    assert woken(heard) == ["unit-5,unit-6"]


async def test_units_that_claim_nothing_are_not_woken(database: str, pool: Pool, heard: psycopg.Connection) -> None:
    for n in range(6):
        await join(pool, f"unit-{n}")
    await join(pool, "none", policy="none")
    rows(database, "select cordon_unit('unit-0')")
    rows(database, "update lease set inactive_at = now() - interval '1 second' where address = 'unit-1'")
    woken(heard)
    assert value(database, "select units_to_wake(1)") == "unit-2,unit-3"


@pytest.mark.parametrize("column", ["address", "type"])
async def test_what_concerns_units_that_cannot_be_named_wakes_all(
    database: str, pool: Pool, heard: psycopg.Connection, column: str
) -> None:
    for n in range(6):
        await join(pool, f"unit-{n}")
    woken(heard)
    if column == "address":
        insert_deployments(database, address="unit-3")
    else:
        rows(database, "insert into deployment (package_name, package_version, type) values ('a', '1', 'daemon')")
    assert woken(heard) == ["*"]


def test_without_a_unit_the_wake_up_is_for_all(database: str, heard: psycopg.Connection) -> None:
    insert_deployments(database)
    assert woken(heard) == ["*"]
