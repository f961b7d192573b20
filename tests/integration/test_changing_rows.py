"""`nodeunit create`, `set`, `enable`, `disable`, `restart`, `delete`, `edit`, `apply` and `diff`, as they are typed."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from tests.support.command_line import complained, items, said
from tests.support.rows import events, rows, value

YAML = """
- name: clock
  package_name: "@yuants/clock"
  package_version: "1.0.0"
  env: {LEVEL: info, TOKEN: secret-1}
- name: shop
  command: sleep
  args: ["60"]
"""


def row(conninfo: str, name: str) -> dict[str, Any]:
    (found,) = rows(conninfo, "select * from deployment where name = %s", (name,))
    return found


def file(folder: Path, text: str, name: str = "rows.yaml") -> str:
    path = folder / name
    path.write_text(text)
    return str(path)


async def test_create_by_options(database: str) -> None:
    said_ = await said(
        database, "create", "--name", "web", "--package", "@yuants/web@1.2.3", "--arg", "-v", "--arg", "80",
        "--env", "A=1=2", "restart=never", "memory_limit_mb=64",
    )  # fmt: skip
    assert said_ == "deployment/web created\n"
    made = row(database, "web")
    assert (made["package_name"], made["package_version"], made["args"]) == ("@yuants/web", "1.2.3", ["-v", "80"])
    assert (made["env"], made["restart"], made["memory_limit_mb"], made["runtime"]) == ({"A": "1=2"}, "never", 64, "")
    assert "deployment_name_is_unique" in await complained(database, "create", "--name", "web", code=40)
    assert "deployment_name_is_plain" in await complained(database, "create", "--name", "-w", code=40)
    assert "there is no column colour" in await complained(database, "create", "colour=red", code=2)
    assert "is not NAME=VALUE" in await complained(database, "create", "--env", "A", code=2)
    await complained(database, "create", code=2)
    await complained(database, "create", "--name", "x", "-f", "y", code=2)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("rows.yaml", YAML),
        ("many.yaml", "name: clock\n---\nname: shop\n"),
        ("rows.json", '{"deployments": [{"name": "clock"}, {"name": "shop"}]}'),
        ("rows.toml", '[[deployments]]\nname = "clock"\n[[deployments]]\nname = "shop"\n'),
    ],
)
async def test_create_from_a_file(database: str, tmp_path: Path, name: str, text: str) -> None:
    made = await said(database, "create", "-f", file(tmp_path, text, name))
    assert sorted(made.splitlines()) == ["deployment/clock created", "deployment/shop created"]


async def test_create_from_standard_input(database: str) -> None:
    assert await said(database, "create", "-f", "-", given="name: clock\n") == "deployment/clock created\n"


@pytest.mark.parametrize(
    ("text", "because"),
    [
        ("name: [", "line 1"),
        ("- name: a\n- name: a\n", "two rows of the name a"),
        ("- name: a\n- colour: red\n", "row 2: there is no column `colour`"),
        ("package_version: 1.0", "row 1: Expected `str`, got `float` in `package_version`"),
        ("a: &a [x]\nb: *a\n", "aliases are not read"),
        ("!!python/object/apply:os.system [id]", "could not determine a constructor"),
        ("", "has no row"),
        ("just words", "neither an object nor a list"),
    ],
)
async def test_a_file_that_is_not_rows(database: str, tmp_path: Path, text: str, because: str) -> None:
    assert because in await complained(database, "create", "-f", file(tmp_path, text), code=24)
    assert value(database, "select count(*) from deployment") == 0


async def test_set_columns_and_variables(database: str, tmp_path: Path) -> None:
    await said(database, "create", "-f", file(tmp_path, YAML))
    assert (
        await said(database, "set", "clock", "package_version=2.0.0", "memory_limit_mb=10") == "deployment/clock set\n"
    )
    await said(database, "set", "clock", "--env", "LEVEL=debug", "--env", "MORE=x", "--unset-env", "TOKEN")
    changed = row(database, "clock")
    assert (changed["package_version"], changed["env"]) == ("2.0.0", {"LEVEL": "debug", "MORE": "x"})
    await said(database, "set", "--all", 'args=["a", "b"]', "memory_limit_mb=null")
    assert row(database, "shop")["args"] == ["a", "b"]
    assert row(database, "clock")["memory_limit_mb"] is None
    before = len(events(database))
    await said(database, "set", "clock", "name=timer")
    assert len(events(database)) == before
    assert "Invalid enum value" in await complained(database, "set", "timer", "restart=perhaps", code=2)
    assert "deployment_memory_limit_mb_is_at_least_1" in await complained(
        database, "set", "timer", "memory_limit_mb=0", code=40
    )
    await complained(database, "set", "timer", code=2)
    await complained(database, "set", "args=[]", code=2)
    await complained(database, "set", "nobody", "args=[]", code=18)


async def test_enable_disable_restart(database: str, tmp_path: Path) -> None:
    await said(database, "create", "-f", file(tmp_path, YAML))
    assert await said(database, "disable", "clock", "shop") != ""
    assert [one["state"] for one in await items(database, "get", "deployments")] == ["stopped", "stopped"]
    assert await said(database, "enable", "-l", "name=clock") == "deployment/clock enabled\n"
    assert await said(database, "restart", "clock") == "deployment/clock restart requested\n"
    assert [one["type"] for one in events(database)][-4:] == [
        "DeploymentDisabled", "DeploymentDisabled", "DeploymentEnabled", "DeploymentRestartRequested",
    ]  # fmt: skip
    for verb in ("enable", "disable", "restart", "delete"):
        await complained(database, verb, code=2)
        await complained(database, verb, "clock", "--all", code=2)


async def test_delete_asks(database: str, tmp_path: Path) -> None:
    await said(database, "create", "-f", file(tmp_path, YAML))
    refusal = await complained(database, "delete", "--all", code=28)
    assert "Delete 2 deployments (" in refusal
    assert "--yes" in refusal
    assert value(database, "select count(*) from deployment") == 2
    assert await said(database, "delete", "clock", "--yes") == "deployment/clock deleted\n"
    assert [one["name"] for one in await items(database, "get", "deployments")] == ["shop"]


async def test_apply_and_diff(database: str, tmp_path: Path) -> None:
    rows_ = file(tmp_path, YAML)
    assert await said(database, "diff", "-f", rows_, code=1) == "+ deployment/clock\n+ deployment/shop\n"
    assert "created (dry run)" in await said(database, "apply", "-f", rows_, "--dry-run")
    assert value(database, "select count(*) from deployment") == 0
    await said(database, "apply", "-f", rows_)
    assert await said(database, "diff", "-f", rows_) == ""
    changed = file(tmp_path, YAML.replace("secret-1", "secret-2").replace('"60"', '"90"'))
    shown = await said(database, "diff", "-f", changed, code=1)
    assert shown.splitlines() == [
        "~ deployment/clock", "    ~ env.TOKEN", "~ deployment/shop", '    - args: ["60"]', '    + args: ["90"]',
    ]  # fmt: skip
    assert "deployment/clock changed: env\n" in await said(database, "apply", "-f", changed)
    assert row(database, "clock")["env"]["TOKEN"] == "secret-2"
    revisions = value(database, "select sum(revision) from deployment")
    assert "deployment/clock unchanged" in await said(database, "apply", "-f", changed)
    assert value(database, "select sum(revision) from deployment") == revisions
    for wrong in ("command: x", "name: [", "- 1"):
        await complained(database, "diff", "-f", file(tmp_path, wrong), code=24)


async def test_apply_prunes_what_has_a_name(database: str, tmp_path: Path) -> None:
    await said(database, "apply", "-f", file(tmp_path, YAML))
    rows(database, "insert into deployment (package_name) values ('@yuants/nameless')")
    one = file(tmp_path, "name: shop\ncommand: sleep\nargs: ['60']\n")
    assert await said(database, "diff", "--prune", "-f", one, code=1) == "- deployment/clock\n"
    await complained(database, "apply", "--prune", "-f", one, code=28)
    assert "deployment/clock deleted" in await said(database, "apply", "--prune", "--yes", "-f", one)
    assert value(database, "select array_agg(coalesce(name, package_name) order by name) from deployment") == [
        "shop",
        "@yuants/nameless",
    ]


async def test_edit(database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    await said(database, "apply", "-f", file(tmp_path, YAML))
    monkeypatch.setenv("VISUAL", "sed -i s/info/debug/")
    assert await said(database, "edit", "clock") == "deployment/clock set\n"
    assert row(database, "clock")["env"] == {"LEVEL": "debug", "TOKEN": "secret-1"}
    assert "nothing was changed" in await complained(database, "edit", "clock", code=0)
    monkeypatch.setenv("VISUAL", "sed -i s/env:/colour:/")
    assert "there is no column" in await complained(database, "edit", "clock", code=24)
    monkeypatch.setenv("VISUAL", os.fspath(tmp_path / "no-such-editor"))
    assert "cannot be started" in await complained(database, "edit", "clock", code=23)


async def test_an_operator_may_do_all_of_it(database: str, tmp_path: Path, login: Any) -> None:
    operator = login("nodeunit_operator")
    await said(operator, "apply", "-f", file(tmp_path, YAML))
    await said(operator, "set", "clock", "package_version=2.0.0", "--env", "LEVEL=debug")
    await said(operator, "rollout", "undo", "clock")
    await said(operator, "restart", "--all")
    await said(operator, "delete", "--all", "--yes")
    reader = login("nodeunit_reader")
    assert json.loads(await said(reader, "get", "deployments", "-o", "json"))["items"] == []
    await complained(reader, "create", "--name", "x", code=16)
