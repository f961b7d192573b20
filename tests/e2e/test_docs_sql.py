"""Every statement of the documentation runs, on a hypertable and on ordinary tables, against what real units wrote."""

import os
import re
import signal
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest
from psycopg.types.json import Jsonb

from tests.support.rows import rows, value
from tests.support.unit_process import UnitProcess
from tests.support.waiting import eventually
from tools.docs_sql import columns, statements, table

ROOT = Path(__file__).parents[2]
SQL_PAGE = (ROOT / "docs" / "sql.md").read_text()
PROGRAMS = (ROOT / "docs" / "programs.md").read_text()
README = (ROOT / "README.md").read_text() if (ROOT / "README.md").exists() else ""

pytestmark = pytest.mark.e2e


@pytest.mark.timeout(120)
async def test_every_statement_runs(conninfo: str, start_unit: Callable[..., UnitProcess]) -> None:
    await real_run(conninfo, start_unit)
    with psycopg.connect(conninfo, autocommit=True) as connection:
        for statement, documented in statements(SQL_PAGE):
            result = table(connection.execute(statement.encode()))
            assert columns(result) == columns(documented), statement
            # What a longer run shows has to be there after a short one too, but for what went wrong in it.
            if len(documented.splitlines()) > 2 and not re.search("UnitLost|restarts_per_day|Released", statement):
                assert len(result.splitlines()) > 2, statement
        for statement, _ in statements(README) + statements(PROGRAMS):
            with connection.transaction(force_rollback=True):
                connection.execute(statement.encode())


async def real_run(conninfo: str, start_unit: Callable[..., UnitProcess]) -> None:
    """Two units claim ten deployments, all of which are sampled; a program is killed and starts again."""
    for name in ("node-unit-1", "node-unit-2"):
        start_unit(conninfo, name=name, NODE_UNIT_CLAIM_POLICY="resource_usage", NODE_UNIT_HEARTBEAT_INTERVAL="0.5")
    await eventually(
        lambda: value(conninfo, "select count(*) = 2 from lease where cpu_percent is not null"),
        within_s=20, what="both units have joined and measured themselves",
    )  # fmt: skip
    rows(
        conninfo,
        "insert into deployment (package_name, package_version, command, args) "
        "select '@yuants/app-portal', '0.2.26', 'sleep', %s from generate_series(1, 10)",
        (Jsonb(["1000"]),),
    )
    await eventually(
        lambda: value(conninfo, "select count(*) = 10 from current_usage"),
        within_s=30, what="ten programs are sampled",
    )  # fmt: skip
    os.kill(
        value(conninfo, "select (data ->> 'pid')::int from event where type = 'ProcessStarted' limit 1"), signal.SIGKILL
    )
    await eventually(
        lambda: value(conninfo, "select sum(restarts) = 1 from restarts_per_day"), within_s=20, what="it runs again"
    )
    await eventually(
        lambda: value(conninfo, "select min(recorded_at) < now() - interval '3 seconds' from usage"),
        what="there is a past to ask for",
    )


def test_results_are_documented_for_every_statement() -> None:
    found = statements(SQL_PAGE)
    assert len(found) >= 15
    assert [statement for statement, documented in found if not documented] == []


def test_the_page_names_no_machine() -> None:
    assert not re.search(r"/(home|root|tmp|work)/|localhost|\d+\.\d+\.\d+\.\d+", SQL_PAGE)
