"""`nodeunit rollout` and `wait`: how far a change is, what was before, and back to it."""

import asyncio

import psycopg
import pytest

from nodeunit.store.postgres.connections import Pool
from tests.support.command_line import complained, items, said, typed
from tests.support.process_reports import report, started
from tests.support.rounds import deciding
from tests.support.rows import rows, value


async def test_undo_brings_back_everything_with_the_values_of_env(database: str) -> None:
    await said(
        database, "create", "--name", "clock", "--package", "@yuants/clock@1.0.0", "--env", "TOKEN=one",
        "memory_limit_mb=64", "restart=never",
    )  # fmt: skip
    await said(database, "set", "clock", "package_version=2.0.0", "memory_limit_mb=null", "restart=always")
    await said(database, "set", "clock", "--env", "TOKEN=two")
    await said(database, "disable", "clock")
    await said(database, "set", "clock", "--env", "TOKEN=three", "package_version=3.0.0", "enabled=true")

    history = await items(database, "rollout", "history", "clock")
    assert [(one["revision"], one["changed"]) for one in history] == [
        (1, []), (2, ["package_version", "memory_limit_mb", "restart"]), (3, ["env"]), (5, ["package_version", "env"]),
    ]  # fmt: skip
    assert "one" not in await said(database, "rollout", "history", "clock", "-o", "json")
    assert (await said(database, "rollout", "history", "clock")).splitlines()[-1].split()[-2:] == [
        "package_version,env", "3.0.0",
    ]  # fmt: skip

    def now() -> tuple[str, str, int | None, str]:
        (row,) = rows(database, "select package_version, env, memory_limit_mb, restart from deployment")
        return row["package_version"], row["env"]["TOKEN"], row["memory_limit_mb"], row["restart"]

    assert await said(database, "rollout", "undo", "clock") == "deployment/clock has revision 3 again, as revision 7\n"
    assert now() == ("2.0.0", "two", None, "always")
    await said(database, "rollout", "undo", "clock", "--to-revision", "1")
    assert now() == ("1.0.0", "one", 64, "never")
    await said(database, "rollout", "undo", "clock", "--to-revision", "5")
    assert now() == ("3.0.0", "three", None, "always")
    assert "no specification of revision 4" in await complained(
        database, "rollout", "undo", "clock", "--to-revision", "4", code=41
    )


async def test_what_cannot_be_undone_is_refused(database: str) -> None:
    await said(database, "create", "--name", "clock", "--package", "@yuants/clock@1", "--env", "TOKEN=one")
    assert "no earlier specification" in await complained(database, "rollout", "undo", "clock", code=41)
    await said(database, "set", "clock", "--env", "TOKEN=two")
    rows(database, "delete from former_env")
    assert "is not kept" in await complained(database, "rollout", "undo", "clock", code=41)
    await complained(database, "rollout", "history", "nobody", code=18)


async def test_nobody_reads_what_an_environment_was(database: str, login: object) -> None:
    await said(database, "create", "--name", "clock", "--env", "TOKEN=one")
    await said(database, "set", "clock", "--env", "TOKEN=two")
    assert value(database, "select env ->> 'TOKEN' from former_env") == "one"
    for role in ("nodeunit_reader", "nodeunit_operator", "nodeunit_unit"):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            rows(login(role), "select * from former_env")  # type: ignore[operator]
    await said(database, "delete", "clock", "--yes")
    assert value(database, "select count(*) from former_env") == 0


async def test_the_last_twenty_environments_are_kept(database: str) -> None:
    await said(database, "create", "--name", "clock", "--env", "N=0")
    for number in range(1, 24):
        rows(database, "update deployment set env = jsonb_build_object('N', %s::text)", (str(number),))
    assert value(database, "select count(*) from former_env") == 20


async def test_wait(database: str, pool: Pool) -> None:
    late = asyncio.create_task(typed(database, "wait", "clock", "--for", "claimed", "--timeout", "30s"))
    unit = await deciding(pool, "unit-a", custom_command=True)
    await said(database, "create", "--name", "clock", "--package", "@yuants/clock@1")
    await unit.look()
    assert await late == (0, "")
    (row,) = rows(database, "select id from deployment")
    not_yet = await complained(database, "wait", "clock", "--for", "running", "--timeout", "300ms", code=27)
    assert "clock: starting (claimed), 0/1 ready" in not_yet
    status = await complained(database, "rollout", "status", "clock", "--timeout", "300ms", code=27)
    assert "starting (claimed) on unit-a" in status
    running = asyncio.create_task(typed(database, "wait", "--all", "--for", "running", "--timeout", "30s"))
    done = asyncio.create_task(typed(database, "rollout", "status", "clock", "--timeout", "30s"))
    report(database, "unit-a", started(row["id"]))
    assert await running == (0, "")
    assert await done == (0, "deployment/clock runs revision 1\n")
    gone = asyncio.create_task(typed(database, "wait", "clock", "--for", "deleted", "--timeout", "30s"))
    await said(database, "delete", "clock", "--yes")
    assert await gone == (0, "")
    assert "nobody: no such deployment" in await complained(
        database, "wait", "nobody", "--for", "running", "--timeout", "100ms", code=27
    )
    await complained(database, "wait", "--for", "running", code=2)
