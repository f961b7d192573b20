"""npm packages from a real registry: installed once, held to their lock, run by Node.js, and every failure said."""

import asyncio
import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from nodeunit.install.child import Limits
from nodeunit.install.npm import NpmInstaller
from nodeunit.install.package import Installed, InstallFailed, Lock, Package
from nodeunit.install.store import InstallStore
from tests.support.npm_units import NOBODY, npm, npm_store
from tests.support.registries import NpmRegistry

PROGRAM = "console.log(process.env.npm_package_name ?? 'runs', process.argv.length)"

MakeUnit = Callable[..., InstallStore]


@pytest.fixture
def make_unit(tmp_path: Path, npm_registry: NpmRegistry) -> MakeUnit:
    """A unit's store: `make_unit("unit-1", npmrc="…", registry="…", scripts=True)`, each with a home of its own."""

    def make(name: str = "unit-1", *, registry: str = npm_registry.url, **options: Any) -> InstallStore:
        return npm_store(tmp_path / name, registry, **options)

    return make


async def refusal(store: InstallStore, package: Package, lock: Lock | None = None) -> InstallFailed:
    """Why a package is not installed; nothing of it may be left."""
    with pytest.raises(InstallFailed) as failed:
        await store.ensure(package, lock)
    return failed.value


def output(found: Installed, *arguments: str) -> str:
    return subprocess.run([*found.argv, *arguments], check=True, capture_output=True, text=True).stdout


def places(found: Installed) -> dict[str, str]:
    """Where each package is, and in which version."""
    packages = json.loads(found.lock.text)["packages"]
    return {place: package["version"] for place, package in packages.items() if place}


def version_on_disk(found: Installed, name: str) -> str:
    manifest = json.loads((found.directory / "node_modules" / name / "package.json").read_text())
    return str(manifest["version"])


async def test_a_package_is_installed_with_those_below_it_and_runs(
    npm_registry: NpmRegistry, make_unit: MakeUnit
) -> None:
    npm_registry.publish("first-below", "1.0.0", {"index.js": "module.exports = 'below'"})
    app = "#!/usr/bin/env node\nconsole.log(require('first-below'), process.argv[2])"
    npm_registry.publish("@yuants/first", "0.2.26", {"a.js": app}, bin="a.js", dependencies={"first-below": "^1.0.0"})

    found = await make_unit().ensure(npm("@yuants/first", "0.2.26"))

    assert output(found, "x") == "below x\n"
    assert (found.version, found.packages) == ("0.2.26", 2)
    assert found.lock.integrity.startswith("sha512-")
    assert places(found) == {"node_modules/@yuants/first": "0.2.26", "node_modules/first-below": "1.0.0"}
    # Another unit may use another mirror, and its store is elsewhere.
    assert "127.0.0.1" not in found.lock.text
    assert str(found.directory) not in found.lock.text
    assert output(found._replace(argv=("sh", "-c", f"PATH={found.path[0]}:$PATH first y"))) == "below y\n"


async def test_ranges_and_tags_mean_what_they_mean_to_npm(npm_registry: NpmRegistry, make_unit: MakeUnit) -> None:
    for version, tag in (("1.0.0", "old"), ("1.3.0", "latest"), ("2.0.0-rc.1", "next"), ("1.2.0", "patch")):
        npm_registry.publish("ranged", version, {"index.js": PROGRAM}, tag=tag)
    npm_registry.publish("ranged", "1.3.1", {"index.js": PROGRAM}, tag="other")
    unit = make_unit()
    meanings = {
        "": "1.3.0", "next": "2.0.0-rc.1", "^1.0": "1.3.0", "<1.3": "1.2.0", ">=1.3.1": "1.3.1",
        "1.0.0 || 1.2.0": "1.2.0", "v1.0.0": "1.0.0", "9.9.9": "9.9.9",
    }  # fmt: skip
    found = await asyncio.gather(*(unit.resolve(npm("ranged", wanted)) for wanted in meanings))
    assert dict(zip(meanings, found, strict=True)) == meanings


async def test_the_lock_of_the_first_unit_holds_for_the_next(npm_registry: NpmRegistry, make_unit: MakeUnit) -> None:
    npm_registry.publish("below-pinned", "1.0.0", {"index.js": ""})
    npm_registry.publish("pinned", "1.0.0", {"index.js": PROGRAM}, dependencies={"below-pinned": "^1.0.0"})
    first = await make_unit("unit-1").ensure(npm("pinned", "latest"))
    npm_registry.publish("below-pinned", "1.1.0", {"index.js": ""})
    npm_registry.publish("pinned", "1.0.1", {"index.js": PROGRAM}, dependencies={"below-pinned": "^1.0.0"})

    held = await make_unit("unit-2").ensure(npm("pinned", "latest"), first.lock)
    free = await make_unit("unit-3").ensure(npm("pinned", "1.0.0"))

    assert held.lock == first.lock
    assert held.lock.digest == first.lock.digest
    assert places(held) == places(first) == {"node_modules/pinned": "1.0.0", "node_modules/below-pinned": "1.0.0"}
    assert places(free) == {"node_modules/pinned": "1.0.0", "node_modules/below-pinned": "1.1.0"}
    assert version_on_disk(held, "below-pinned") == "1.0.0"


@pytest.mark.parametrize("declared", [False, True], ids=["hidden", "declared"])
@pytest.mark.parametrize("which", ["itself", "below"])
async def test_other_bytes_for_the_same_version_are_refused(
    npm_registry: NpmRegistry, make_unit: MakeUnit, tmp_path: Path, declared: bool, which: str
) -> None:
    name, below = f"bytes-{which}-{declared}".lower(), f"bytes-below-{which}-{declared}".lower()
    npm_registry.publish(below, "1.0.0", {"index.js": ""})
    npm_registry.publish(name, "1.0.0", {"index.js": PROGRAM}, dependencies={below: "1.0.0"})
    lock = (await make_unit("unit-1").ensure(npm(name, "1.0.0"))).lock

    changed, dependencies = (name, {below: "1.0.0"}) if which == "itself" else (below, {})
    evil = {"index.js": f"require('fs').writeFileSync({str(tmp_path / 'ran')!r}, '')"}
    npm_registry.serve_other_bytes(changed, "1.0.0", evil, declared=declared, dependencies=dependencies)

    failed = await refusal(make_unit("unit-2"), npm(name, "1.0.0"), lock)
    assert (failed.reason, failed.may_heal) == ("wrong_bytes", False)
    assert f"The registry serves other bytes for {name}@1.0.0, or below it, than recorded" in failed.detail


async def test_scripts_of_packages_are_run_only_where_the_unit_allows_it(
    npm_registry: NpmRegistry, make_unit: MakeUnit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NODE_UNIT_PASSWORD", "hunter2")
    seen = tmp_path / "seen"
    script = f"env > {seen}"
    npm_registry.publish("scripted-below", "1.0.0", {"index.js": ""}, scripts={"preinstall": script, "install": script})
    scripts = {"postinstall": script, "prepare": script, "prepack": script}
    npm_registry.publish(
        "scripted", "1.0.0", {"index.js": PROGRAM}, scripts=scripts, dependencies={"scripted-below": "1.0.0"}
    )
    found = await make_unit("unit-1").ensure(npm("scripted", "latest"))
    await make_unit("unit-2", npmrc="ignore-scripts=false\n").ensure(npm("scripted", "1.0.0"), found.lock)
    assert not seen.exists()

    await make_unit("unit-3", scripts=True).ensure(npm("scripted", "1.0.0"), found.lock)
    variables = {line.partition("=")[0] for line in seen.read_text().splitlines()}
    own = {name for name in variables if not name.lower().startswith("npm_")}
    by_npm_and_shell = {
        "NODE_EXTRA_CA_CERTS",
        "INIT_CWD",
        "NODE",
        "NODE_ENV",
        "COLOR",
        "EDITOR",
        "PWD",
        "OLDPWD",
        "_",
        "SHLVL",
        "LC_CTYPE",
    }
    assert own - by_npm_and_shell == {"PATH", "HOME", "LANG"}


async def test_a_script_that_fails_is_a_failure(npm_registry: NpmRegistry, make_unit: MakeUnit) -> None:
    npm_registry.publish("broken-script", "1.0.0", {"index.js": ""}, scripts={"install": "echo no compiler; exit 3"})
    failed = await refusal(make_unit(scripts=True), npm("broken-script", "1.0.0"))
    assert (failed.reason, failed.may_heal) == ("install_failed", True)
    assert failed.detail.startswith("npm cannot install broken-script@1.0.0")


async def test_credentials_are_those_of_the_user(npm_registry: NpmRegistry, make_unit: MakeUnit) -> None:
    npm_registry.publish("@private/app", "1.0.0", {"index.js": PROGRAM})
    failed = await refusal(make_unit("stranger"), npm("@private/app", "1.0.0"))
    assert failed.reason in ("registry_refused", "no_such_package")
    assert failed.may_heal
    found = await make_unit("friend", npmrc=npm_registry.npmrc, registry="").ensure(npm("@private/app", "latest"))
    assert npm_registry.token not in found.lock.text
    assert output(found).startswith("runs")


async def test_habits_of_the_user_do_not_spoil_it(npm_registry: NpmRegistry, make_unit: MakeUnit) -> None:
    npm_registry.publish("habits", "1.0.0", {"index.js": PROGRAM})
    habits = "save=false\npackage-lock=false\nglobal=true\ndry-run=true\ninstall-strategy=linked\njson=false\n"
    found = await make_unit(npmrc=habits + "loglevel=silly\npackage-lock-only=true\n").ensure(npm("habits"))
    assert output(found).startswith("runs")


async def test_what_is_not_there_is_said(npm_registry: NpmRegistry, make_unit: MakeUnit) -> None:
    npm_registry.publish("there", "1.0.0", {"index.js": PROGRAM})
    unit = make_unit()
    for package, reason, sentence in (
        (npm("not-there"), "no_such_package", "The registry has no not-there@latest"),
        (npm("not-there", "1.0.0"), "no_such_package", "The registry has no not-there@1.0.0"),
        (npm("there", "7.0.0"), "no_such_version", "The registry has no there@7.0.0"),
        (npm("there", "beta"), "no_such_version", "The registry has no there@beta"),
    ):
        failed = await refusal(unit, package)
        assert failed.detail.startswith(sentence)
        assert (failed.reason, failed.may_heal) == (reason, True)


async def test_a_registry_that_is_away_is_said(make_unit: MakeUnit) -> None:
    failed = await refusal(make_unit(registry=NOBODY), npm("there", "1.0.0"))
    assert (failed.reason, failed.may_heal) == ("registry_unreachable", True)
    assert "ECONNREFUSED" in failed.detail


async def test_an_installed_package_needs_no_registry(npm_registry: NpmRegistry, make_unit: MakeUnit) -> None:
    npm_registry.publish("offline", "1.0.0", {"index.js": PROGRAM})
    found = await make_unit("unit-1").ensure(npm("offline", "1.0.0"))
    again = await make_unit("unit-1", registry=NOBODY).ensure(npm("offline", "v1.0.0"))
    assert again.directory == found.directory


async def test_a_unit_without_node_or_npm_says_so(tmp_path: Path) -> None:
    installer = NpmInstaller(tmp_path / "cache", environ={"PATH": str(tmp_path), "HOME": str(tmp_path)})
    assert installer.missing() == "node and npm cannot be found in the PATH of this unit."
    failed = await refusal(InstallStore(tmp_path / "store", [installer]), npm("there", "1.0.0"))
    assert (failed.reason, failed.may_heal) == ("runtime_missing", True)


async def test_npm_has_a_limit_of_time_and_of_disk(npm_registry: NpmRegistry, make_unit: MakeUnit) -> None:
    files: dict[str, str | bytes] = {"index.js": PROGRAM, "large": os.urandom(5_000_000)}
    npm_registry.publish("large", "1.0.0", files, scripts={"install": "sleep 3600"})
    failed = await refusal(make_unit("slow", scripts=True, limits=Limits(time_s=5)), npm("large", "1.0.0"))
    assert (failed.reason, failed.may_heal) == ("timed_out", True), failed.detail
    failed = await refusal(make_unit("small", scripts=True, limits=Limits(disk_bytes=2**20)), npm("large", "1.0.0"))
    assert (failed.reason, failed.may_heal) == ("too_large", False)


async def test_a_package_without_a_program_may_serve_a_command(npm_registry: NpmRegistry, make_unit: MakeUnit) -> None:
    npm_registry.publish("library", "1.0.0", {"data.json": "{}"})
    failed = await refusal(make_unit(), npm("library", "1.0.0"))
    assert (failed.reason, failed.may_heal) == ("no_entry", False)
    assert failed.detail == "library has neither a bin nor a main that exists: give the row a command."
    found = await make_unit().ensure(npm("library", "1.0.0"), needs_entry=False)
    assert (found.argv, found.path) == ((), (str(found.directory / "node_modules" / ".bin"),))
