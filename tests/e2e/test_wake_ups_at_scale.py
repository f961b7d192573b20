"""Many units, single rows: only those that were asked look, nothing waits for a heartbeat, and all end up even."""

from collections.abc import Callable

import pytest

from tests.support.rows import rows, value
from tests.support.unit_process import UnitProcess
from tests.support.waiting import eventually

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(180)]

UNITS, ROWS = 7, 21


@pytest.mark.parametrize("policy", ["deployment_count", "resource_usage"])
async def test_a_row_is_looked_at_by_few(database: str, start_unit: Callable[..., UnitProcess], policy: str) -> None:
    for n in range(UNITS):
        start_unit(
            database, name=f"unit-{n}", NODE_UNIT_CLAIM_POLICY=policy,
            NODE_UNIT_HEARTBEAT_INTERVAL="60", NODE_UNIT_LEASE_TTL="300",
        )  # fmt: skip
    await eventually(
        lambda: value(database, "select count(*) from lease where cpu_percent is not null") == UNITS,
        within_s=60, what="all have joined and measured themselves",
    )  # fmt: skip
    before = value(database, "select max(position) from event")
    for n in range(1, ROWS + 1):
        rows(
            database, "insert into deployment (package_name, package_version, command) values ('a', '1', 'sleep 1000')"
        )
        await eventually(
            lambda n=n: value(database, "select count(*) from deployment where address <> ''") == n,  # type: ignore[misc]
            within_s=30, what="it is claimed without a heartbeat",
        )  # fmt: skip
    looks = value(
        database, "select count(*) from event where position > %s and type = 'DeploymentClaimRound'", (before,)
    )
    assert looks <= 4 * ROWS, "the claimant, one who watches, and a few more where the hint was old"
    if policy == "deployment_count":
        split = rows(database, "select count(*)::int as rows from deployment group by address")
        assert [unit["rows"] for unit in split] == [ROWS // UNITS] * UNITS
