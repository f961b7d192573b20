"""The doctor names each fault of units, rows and the log."""

from uuid import uuid4

import psycopg
import pytest

from nodeunit.domain.events import UnitListenerDeaf
from nodeunit.domain.finding import Limits
from nodeunit.store.postgres.connections import Pool
from nodeunit.store.write.decisions import DecisionStream
from tests.support.examined import examined, names, the_only
from tests.support.members import join, lose
from tests.support.rows import insert_deployments, rows
from tests.support.waiting import eventually


async def test_rows_and_no_unit(database: str) -> None:
    insert_deployments(database, 2)
    assert the_only(await examined(database)).name == "no_unit"


async def test_a_pattern_that_matches_nothing_waiting(database: str, pool: Pool) -> None:
    await join(pool, "unit-a", trusted="^@yuants/")
    await join(pool, "unit-b", trusted="^@others/")
    insert_deployments(database, 3, package="@nobody/app")
    found = the_only(await examined(database))
    assert found.name == "pattern_matches_nothing_waiting"
    assert found.cause == (
        "3 rows wait (@nobody/app@1.0.0), and no unit trusts their packages: the patterns are ^@others/, ^@yuants/"
    )


async def test_a_row_that_nobody_can_run_names_what_each_unit_lacks(database: str, pool: Pool) -> None:
    await join(pool, "unit-a", trusted="^@others/")
    await join(pool, "unit-b", custom_command=False)
    (row,) = insert_deployments(database, 1)
    rows(database, "update deployment set command = 'x'")
    found = the_only(await examined(database))
    assert (found.name, found.subject) == ("row_nobody_can_run", f"row {row}")
    assert "unit-a: @yuants/app@1.0.0 does not match what it trusts: ^@others/" in found.cause
    assert "unit-b: the row has a command, and it runs none (ENABLE_CUSTOM_COMMAND)" in found.cause


async def test_units_of_different_versions(database: str, pool: Pool) -> None:
    for name in ("unit-a", "unit-b"):
        await join(pool, name, version="0.2.0")
    assert (await examined(database)).findings == []
    await join(pool, "unit-c", version="0.1.0")
    found = the_only(await examined(database))
    assert (found.name, found.mend) == ("versions_differ", "upgrade or restart unit-c")


async def test_a_deaf_listener(database: str, pool: Pool) -> None:
    stream = DecisionStream(await join(pool, "unit-a"))
    await stream.append(UnitListenerDeaf(3))
    found = the_only(await examined(database))
    assert (found.name, found.subject) == ("deaf_listener", "unit unit-a")


async def test_a_lease_that_is_shorter_than_the_outages(database: str, pool: Pool) -> None:
    finder = await join(pool, "unit-a")
    supervisor = uuid4()
    await join(pool, "unit-b", supervisor=supervisor)
    await lose(pool, database, finder, "unit-b")
    assert (await examined(database)).findings == []  # it may be gone for good
    await join(pool, "unit-b", supervisor=supervisor)
    found = the_only(await examined(database))
    assert (found.name, found.subject) == ("lease_ttl_too_short", "unit unit-b")
    assert found.mend.startswith("raise NODE_UNIT_LEASE_TTL above 60 ")


async def test_a_unit_that_was_lost_and_started_anew_had_no_short_lease(database: str, pool: Pool) -> None:
    finder = await join(pool, "unit-a")
    await join(pool, "unit-b")
    await lose(pool, database, finder, "unit-b")
    await join(pool, "unit-b")
    assert (await examined(database)).findings == []


@pytest.mark.parametrize("projection", ["deployment_address", "unit"])
async def test_a_projection_that_is_not_the_fold(database: str, pool: Pool, projection: str) -> None:
    await join(pool, "unit-a")
    insert_deployments(database, 1, address="unit-a")
    with psycopg.connect(database, autocommit=True) as superuser:
        superuser.execute("set session_replication_role = replica")
        if projection == "unit":
            superuser.execute("update unit set host = 'elsewhere'")
        else:
            superuser.execute("update deployment set address = ''")
    found = the_only(await examined(database))
    assert (found.name, found.subject) == ("projection_differs", f"projection {projection}")


async def test_an_archive_that_is_overdue(database: str, pool: Pool) -> None:
    await join(pool, "unit-a")
    rows(
        database,
        "insert into event (recorded_at, transaction_id, event_id, stream_id, stream_version, type, unit_address, "
        "schema_version, data) select now() - interval '500 days', pg_current_xact_id(), gen_random_uuid(), "
        "'decision-unit-z-1', 1, 'UnitListenerDeaf', 'unit-z', 1, '{\"behind\": 1}'",
    )
    found = the_only(await examined(database))
    assert found.name == "archive_overdue"
    assert "goes back 500 days" in found.cause


async def test_an_idle_transaction(database: str) -> None:
    with psycopg.connect(database, application_name="psql of a person") as person:
        person.execute("select count(*) from event")
        assert (await examined(database)).findings == []  # not open for long
        open_for = Limits(open_transaction_s=0.2)

        async def mentioned() -> bool:
            return any("psql of a person" in one.cause for one in (await examined(database, limits=open_for)).findings)

        await eventually(mentioned, what="the transaction is open for long enough")
        found = (await examined(database, limits=open_for)).findings
        mine = next(one for one in found if "psql of a person" in one.cause)
        assert (mine.name, mine.subject) == ("idle_transaction", f"pid {person.info.backend_pid}")
    assert "idle_transaction" not in names(await examined(database))
