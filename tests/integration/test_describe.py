"""`nodeunit describe`: one screen about a row that runs, fails or waits, without any value of its env."""

import json

from nodeunit.store.postgres.connections import Pool
from tests.support.command_line import complained, said
from tests.support.logins import Login
from tests.support.process_reports import exited, report, started
from tests.support.rounds import deciding
from tests.support.rows import rows


async def test_a_row_that_fails(database: str, pool: Pool) -> None:
    unit = await deciding(pool, "unit-a")
    await said(
        database, "create", "--name", "web", "--package", "@yuants/web@1.0.0", "--env", "TOKEN=secret-value",
        "restart_limit=5",
    )  # fmt: skip
    await unit.look()
    (row,) = rows(database, "select id from deployment")
    report(database, "unit-a", started(row["id"]), exited(row["id"], code=3))
    rows(
        database,
        "insert into usage (recorded_at, unit_address, deployment_id, cpu_percent, memory_mb) "
        "select now() - n * interval '1 minute', 'unit-a', %s, n, 100 from generate_series(1, 9) n",
        (row["id"],),
    )
    shown = await said(database, "describe", "web")
    for part in (
        "Name:       web", f"Id:         {row['id']}", "package_name: @yuants/web", "restart_limit: 5", "env: TOKEN",
        "Claimed   yes  unit-a", "Ready     no   backoff exited", "last end:", "exit code 3", "Claimed by unit-a",
        "ProcessExited", "Usage, 30 minutes:", "most 9.0%",
    ):  # fmt: skip
        assert part in shown, (part, shown)
    assert "secret-value" not in shown
    assert len(shown.splitlines()) <= 50
    document = json.loads(await said(database, "describe", "web", "-o", "json"))
    assert document["schema"] == "nodeunit.description/1"
    assert [one["name"] for one in document["conditions"]] == ["Enabled", "Claimed", "Ready", "Healthy"]
    assert document["deployment"]["programs"][0]["exit_code"] == 3
    assert "secret-value" not in json.dumps(document)
    assert await said(database, "describe", "web", "-o", "name") == "deployment/web\n"


async def test_a_reader_sees_all_of_it(database: str, login: Login) -> None:
    await said(database, "create", "--name", "web", "--package", "@yuants/web@1.0.0", "--env", "TOKEN=secret-value")
    reader = login("nodeunit_reader")
    for words in (
        ["describe", "web"],
        ["get", "deployments", "-l", "name=web"],
        ["get", "deployments", "-l", "type=deployment"],
    ):
        shown = await said(reader, *words)
        assert "web" in shown
        assert "secret-value" not in shown
    assert "TOKEN" in await said(reader, "describe", "web")
    for words in (["get", "units"], ["get", "events"], ["rollout", "history", "web"], ["why", "web"], ["plan", "web"]):
        await said(reader, *words)
    await complained(reader, "wait", "web", "--for", "claimed", "--timeout", "10ms", code=27)
    await complained(reader, "set", "web", "args=[]", code=16)


async def test_a_row_that_waits(database: str) -> None:
    await said(database, "create", "--name", "web", "--package", "@yuants/\u0077eb")
    shown = await said(database, "describe", "web")
    assert "waiting:no_unit" in shown
    assert "Claimed   no" in shown
    await complained(database, "describe", "nobody", code=18)
