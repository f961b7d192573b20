"""`nodeunit get`: what there is, in every format, by every way to say which rows."""

import asyncio
import json
from uuid import UUID

import pytest

from nodeunit.cli.output.kinds import KINDS
from nodeunit.store.postgres.connections import Pool
from tests.support.command_line import call, complained, items, said
from tests.support.rounds import claim_all, deciding
from tests.support.rows import insert_deployments, rows
from tests.support.waiting import eventually

IDS = [UUID(f"0aaaaaa{n}-0000-4000-8000-000000000000") for n in range(3)]


@pytest.fixture
def three(database: str) -> str:
    """One row with a name, two with a package only."""
    rows(
        database,
        "insert into deployment (id, name, package_name, package_version) values "
        "(%s, 'shop-api', '@yuants/app', '1.0.0'), (%s, null, '@yuants/app', '1.0.0'), "
        "(%s, null, '@yuants/clock', '2.0.0')",
        IDS,
    )
    return database


async def test_the_table_fits_eighty_columns(three: str, pool: Pool) -> None:
    unit = await deciding(pool, "unit-a")
    await unit.look()
    table = await said(three, "get", "deployments")
    heads, *lines = table.splitlines()
    assert heads.split() == ["NAME", "READY", "STATUS", "RESTARTS", "AGE", "UNIT"]
    assert [line.split()[0] for line in lines] == ["shop-api", "app/0aaaaaa1", "clock/0aaaaaa2"]
    assert {line.split()[2] for line in lines} == {"starting:claimed", "waiting:not_claimed"}
    assert max(map(len, table.splitlines())) <= 80
    assert await said(three, "ps") == table
    assert (await said(three, "get", "deployments", "--no-headers")).splitlines()[0].startswith("shop-api")
    assert str(IDS[0]) in await said(three, "get", "deployments", "-o", "wide")


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "revisions"])
async def test_every_format_of_every_kind(three: str, pool: Pool, kind: str) -> None:
    unit = await deciding(pool, "unit-a")
    await unit.look()
    document = json.loads(await said(three, "get", kind, "-o", "json"))
    assert document["schema"] == f"nodeunit.{kind}/1"
    assert document["items"]
    lines = [json.loads(line) for line in (await said(three, "get", kind, "-o", "jsonl")).splitlines()]
    stable = [{k: v for k, v in one.items() if k not in ("age_s", "since_s")} for one in lines]
    assert stable == [{k: v for k, v in one.items() if k not in ("age_s", "since_s")} for one in document["items"]]
    assert f'schema: "nodeunit.{kind}/1"' in await said(three, "get", kind, "-o", "yaml")
    names = (await said(three, "get", kind, "-o", "name")).splitlines()
    assert len(names) == len(lines)
    assert {name.partition("/")[0] for name in names} == {kind.removesuffix("s")}


async def test_who_is_meant(three: str) -> None:
    for given in ("shop-api", "shop", str(IDS[0]), "0aaaaaa0", "deployment/shop-api", "app/0aaaaaa0"):
        assert [one["id"] for one in await items(three, "get", "deployments", given)] == [str(IDS[0])], given
    for given in ("@yuants/clock", "@yuants/clock@2.0.0"):
        assert [one["id"] for one in await items(three, "get", "deployments", given)] == [str(IDS[2])], given
    ambiguous = await complained(three, "get", "deployments", "@yuants/app", code=18)
    assert [line.split()[:2] for line in ambiguous.splitlines()[1:]] == [[str(IDS[0]), "shop-api"], [str(IDS[1]), "-"]]
    assert "means several" in await complained(three, "get", "deployments", "0aaa", code=18)
    assert "no deployment" in await complained(three, "get", "deployments", "nobody", code=18)


async def test_selection_sorting_and_limits(three: str) -> None:
    labelled = await items(three, "get", "deployments", "-l", "package=@yuants/app,state=waiting")
    assert [one["id"] for one in labelled] == [str(IDS[0]), str(IDS[1])]
    assert [one["name"] for one in await items(three, "get", "deployments", "-l", "name=shop-api")] == ["shop-api"]
    assert await items(three, "get", "deployments", "-l", "enabled=false") == []
    newest = await items(three, "get", "deployments", "--sort-by", "-package_version")
    assert newest[0]["package_version"] == "2.0.0"
    assert len(await items(three, "get", "deployments", "--limit", "2")) == 2
    for wrong in (["-l", "colour=red"], ["-l", "enabled=perhaps"], ["-l", "env=x"], ["-l", "name"]):
        await complained(three, "get", "deployments", *wrong, code=2)
    assert "no field colour" in await complained(three, "get", "deployments", "--sort-by", "colour", code=24)
    assert "no unit" in await complained(three, "get", "deployments", "-l", "unit=nobody", code=17)
    assert "there is no event type" in await complained(three, "get", "events", "--type", "DeploymentClaim", code=2)
    assert await said(three, "get", "deployments", "-l", "enabled=false") == ""


async def test_pages_are_one_list(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    insert_deployments(database, 25)
    monkeypatch.setattr("nodeunit.store.read.deployments.PAGE", 10)
    monkeypatch.setattr("nodeunit.cli.output.listing.FIRST_ROWS", 4)
    found = await items(database, "get", "deployments")
    assert [one["id"] for one in found] == sorted(one["id"] for one in found)
    assert len(found) == 25
    assert len((await said(database, "get", "deployments")).splitlines()) == 26


async def test_daemon_rows_run_on_every_unit(database: str, pool: Pool) -> None:
    await deciding(pool, "unit-a")
    await deciding(pool, "unit-b")
    rows(database, "insert into deployment (package_name, type) values ('@yuants/agent', 'daemon')")
    (row,) = await items(database, "get", "deployments")
    assert (row["ready"], row["wanted"], [one["unit"] for one in row["programs"]]) == (0, 2, ["unit-a", "unit-b"])
    assert "2 units" in await said(database, "get", "deployments")


async def test_units(database: str, pool: Pool) -> None:
    units = [await deciding(pool, "unit-a"), await deciding(pool, "unit-b")]
    insert_deployments(database, 3)
    await claim_all(units)
    found = await items(database, "get", "units")
    assert [(one["name"], one["membership"], one["lease_valid"]) for one in found] == [
        ("unit-a", "present", True),
        ("unit-b", "present", True),
    ]
    assert sum(one["rows"] for one in found) == 3
    assert [one["name"] for one in await items(database, "get", "units", "unit-b")] == ["unit-b"]
    names = (await said(database, "get", "units", "-o", "name")).splitlines()
    assert [one["name"] for one in await items(database, "get", "units", names[1])] == ["unit-b"]
    held = await items(database, "get", "deployments", "-l", "unit=unit-a")
    assert {one["unit"] for one in held} == {"unit-a"}


async def test_watching_shows_a_claim(database: str, pool: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Off a terminal each change is a line; the claim sends no notification, and is seen all the same."""
    unit = await deciding(pool, "unit-a")
    (row,) = insert_deployments(database, 1)
    shown: list[dict[str, str]] = []
    monkeypatch.setattr(
        "nodeunit.cli.rows.watch_rows.lines",
        lambda found: shown.extend({"unit": one.unit, "state": one.state} for one in found),
    )
    from nodeunit.cli.output.render import Format
    from nodeunit.cli.rows.watch_rows import watch_rows

    watching = asyncio.create_task(watch_rows(database, [str(row)], {}, Format.JSONL, headers=True, limit=None))
    await eventually(lambda: shown == [{"unit": "", "state": "waiting"}])
    await unit.look()
    await eventually(lambda: shown[1:] == [{"unit": "unit-a", "state": "starting"}])
    watching.cancel()
    with pytest.raises(asyncio.CancelledError):
        await watching


def test_nothing_is_said_on_standard_output_when_there_is_nothing(database: str) -> None:
    found = call("get", "deployments", conninfo=database)
    assert (found.exit_code, found.stdout, found.stderr) == (0, "", "no deployments found\n")
