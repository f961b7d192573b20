"""The versions and locks that units agree on: the first that is recorded counts, for every unit and for each row."""

from dataclasses import dataclass

import psycopg
import pytest

from nodeunit.domain.deployment import Deployment
from nodeunit.errors import StaleEpoch
from nodeunit.store.postgres import connections
from nodeunit.store.postgres.connections import Pool
from nodeunit.store.write import packages
from nodeunit.store.write.membership import Membership
from nodeunit.store.write.packages import RecordedLock
from tests.support.logins import Login
from tests.support.members import join
from tests.support.rows import insert_deployments, rows, value

FIRST = RecordedLock("1.0.0", "sha512-a", '{"lockfileVersion": 3}', 3)


@dataclass
class Fleet:
    """Two units, each with a row of the same package, and a row of type daemon."""

    one: Membership
    two: Membership
    row_of_one: Deployment
    row_of_two: Deployment
    daemon_row: Deployment


async def two_units(pool: Pool, database: str, wanted: str) -> Fleet:
    one, two = await join(pool, "unit-1"), await join(pool, "unit-2")
    for unit in (one, two):
        insert_deployments(database, address=unit.address)
    rows(database, "insert into deployment (package_name, type) values ('@yuants/app', 'daemon')")
    rows(database, "update deployment set package_version = %s", (wanted,))
    (row_of_one,) = [row for row in await one.programs() if row.type == "deployment"]
    (row_of_two,) = [row for row in await two.programs() if row.type == "deployment"]
    (daemon_row,) = [row for row in await one.programs() if row.type == "daemon"]
    assert {row.runtime for row in (row_of_one, row_of_two, daemon_row)} == {"npm"}
    return Fleet(one, two, row_of_one, row_of_two, daemon_row)


def after_a_change(database: str, row: Deployment, change: str) -> None:
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(f"update deployment set {change} where id = %s".encode(), (row.id,))


async def test_the_first_lock_of_a_version_counts_for_all_rows(pool: Pool, database: str) -> None:
    fleet = await two_units(pool, database, "1.0.0")
    assert await packages.lock_of(pool, "npm", "@yuants/app", "1.0.0") is None
    assert await packages.record(fleet.one, fleet.row_of_one, FIRST) == FIRST
    assert await packages.lock_of(pool, "npm", "@yuants/app", "1.0.0") == FIRST
    assert await packages.lock_of(pool, "python", "@yuants/app", "1.0.0") is None
    other = FIRST._replace(integrity="sha512-b", lock="{}", packages=1)
    assert await packages.record(fleet.two, fleet.row_of_two, other) == FIRST
    assert await packages.agreed_for(pool, fleet.row_of_two) == FIRST


async def test_a_tag_is_resolved_once_for_a_row(pool: Pool, database: str) -> None:
    fleet = await two_units(pool, database, "latest")
    newer = FIRST._replace(version="2.0.0")
    assert await packages.record(fleet.one, fleet.daemon_row, FIRST) == FIRST
    assert await packages.record(fleet.two, fleet.daemon_row, newer) == FIRST
    # Another row has a resolution of its own.
    assert await packages.agreed_for(pool, fleet.row_of_two) is None
    assert await packages.record(fleet.two, fleet.row_of_two, newer) == newer


@pytest.mark.parametrize(
    ("change", "resolved_anew"),
    [
        ('env = \'{"A": "b"}\'', False),
        ("enabled = false", False),
        ("updated_at = now()", True),
        ("package_version = '^1'", True),
        ("package_name = '@yuants/other'", True),
    ],
)
async def test_what_resolves_a_tag_anew(pool: Pool, database: str, change: str, resolved_anew: bool) -> None:
    fleet = await two_units(pool, database, "latest")
    await packages.record(fleet.one, fleet.row_of_one, FIRST)
    after_a_change(database, fleet.row_of_one, change)
    after_a_change(database, fleet.row_of_one, "enabled = true")
    (row,) = [row for row in await fleet.one.programs() if row.type == "deployment"]
    assert await packages.agreed_for(pool, row) == (None if resolved_anew else FIRST)


async def test_a_unit_records_only_what_its_row_wants(pool: Pool, database: str) -> None:
    fleet = await two_units(pool, database, "latest")
    assert await packages.record(fleet.one, fleet.row_of_two, FIRST) is None
    after_a_change(database, fleet.row_of_one, "package_version = '^1'")
    assert await packages.record(fleet.one, fleet.row_of_one, FIRST) is None
    assert value(database, "select count(*) from package_lock") == 0


async def test_a_unit_of_another_epoch_records_nothing(pool: Pool, database: str) -> None:
    fleet = await two_units(pool, database, "latest")
    await fleet.one.leave()
    with pytest.raises(StaleEpoch):
        await packages.record(fleet.one, fleet.row_of_one, FIRST)


async def test_a_deleted_row_leaves_no_version(pool: Pool, database: str) -> None:
    fleet = await two_units(pool, database, "latest")
    await packages.record(fleet.one, fleet.row_of_one, FIRST)
    rows(database, "delete from deployment")
    assert value(database, "select count(*) from program_version") == 0
    assert value(database, "select count(*) from package_lock") == 1


async def test_a_units_login_records_by_the_function_only(database: str, login: Login, pool: Pool) -> None:
    fleet = await two_units(pool, database, "latest")
    conninfo = login(unit=fleet.one.address)
    async with connections.pool(conninfo, "test") as own:
        unit = Membership(own, fleet.one.address, fleet.one.epoch, 60, 30)
        assert await packages.record(unit, fleet.row_of_one, FIRST) == FIRST
        assert await packages.agreed_for(own, fleet.row_of_one) == FIRST
        assert await packages.lock_of(own, "npm", "@yuants/app", "1.0.0") == FIRST
    with psycopg.connect(conninfo) as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
        connection.execute("update package_lock set lock = '{}'")
    with psycopg.connect(login("nodeunit_reader")) as reader, pytest.raises(psycopg.errors.InsufficientPrivilege):
        reader.execute("select record_install('a', 1, gen_random_uuid(), 'npm', 'a', '', '1', '', '', 1)")


async def test_an_operator_can_have_a_package_locked_anew(database: str, login: Login, pool: Pool) -> None:
    fleet = await two_units(pool, database, "1.0.0")
    await packages.record(fleet.one, fleet.row_of_one, FIRST)
    operator = login("nodeunit_operator")
    rows(operator, "delete from program_version where package_name = '@yuants/app'")
    rows(operator, "delete from package_lock where package_name = '@yuants/app'")
    # The integrity of a Python package has the hash of each of its files.
    other = FIRST._replace(integrity=" ".join(["sha256:" + "a" * 64] * 80))
    assert await packages.record(fleet.two, fleet.row_of_two, other) == other
