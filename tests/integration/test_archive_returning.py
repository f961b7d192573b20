"""A row may come back under its id, whether its first life is archived or not."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

from nodeunit.audit import invariants
from nodeunit.audit.archive import archive
from nodeunit.store.read import projections
from nodeunit.store.read.report import snapshot
from tests.support.rows import rows


async def check(conninfo: str) -> None:
    """The live tables are the fold of the log, and the log obeys every rule."""
    assert await projections.verify(conninfo) == []
    async with snapshot(conninfo) as log:
        assert [one for one in await invariants.check(log) if one.violations] == []


async def test_an_id_may_come_back_before_and_after_its_first_life_is_archived(history: str, tmp_path: Path) -> None:
    moment = datetime.now(UTC) - timedelta(days=2)
    gone = rows(
        history,
        "select deployment_id as id, max(stream_version) as version from event e where type = 'DeploymentDeleted' "
        "and recorded_at < %s and exists (select from assignment_order o where o.deployment_id = e.deployment_id "
        "and o.version > 0) group by 1 order by 1",
        (moment,),
    )
    before, after = gone[0], gone[-1]
    assert before != after
    rows(history, "insert into deployment (id) values (%s)", (before["id"],))
    await check(history)
    assert (await archive(history, moment, tmp_path / "a.gz")).extent is not None
    await check(history)
    rows(history, "insert into deployment (id) values (%s)", (after["id"],))
    await check(history)
    found = rows(history, "select id, revision from deployment where id = any (%s)", ([before["id"], after["id"]],))
    assert {row["id"]: row["revision"] for row in found}[before["id"]] == before["version"] + 1
    rows(history, "delete from deployment where id = %s", (after["id"],))
    await check(history)
