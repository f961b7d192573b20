"""Installations that are killed, doubled, or run out of disk: the next one succeeds,
and nothing half-installed runs."""

import asyncio
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from nodeunit.install.package import InstallFailed
from nodeunit.install.record import RECORD, read_record
from tests.support.npm_units import npm, npm_store
from tests.support.processes import processes_below
from tests.support.registries import NpmRegistry
from tests.support.small_disk import small_disk
from tests.support.waiting import wait_until

KILLS = 20
LONGEST_RUN_S = 3.0

DAEMON = """
import asyncio, sys
from pathlib import Path
from tests.support.npm_units import npm, npm_store

store = npm_store(Path(sys.argv[1]), sys.argv[2], store=Path(sys.argv[3]))
store.clean()
print("begins", flush=True)
asyncio.run(store.ensure(npm(sys.argv[4], "1.0.0")))
print("installed", flush=True)
"""
"""What a unit's daemon does with the store, as a process that can be killed."""

FILES = {f"lib/{number}.js": f"module.exports = {number}\n" * 50 for number in range(300)}
PROGRAM = """
const fs = require('fs'), path = require('path')
const parts = fs.readdirSync(path.join(__dirname, 'lib')).map((file) => require('./lib/' + file))
console.log(parts.length, require('interrupted-below'))
"""


@pytest.fixture(scope="module")
def package(npm_registry: NpmRegistry) -> str:
    """A package of many files with another one below it; it says whether all of them are there."""
    npm_registry.publish("interrupted-below", "1.0.0", {"index.js": "module.exports = 'below'", **FILES})
    files = {"index.js": PROGRAM, **FILES}
    npm_registry.publish("interrupted", "1.0.0", files, dependencies={"interrupted-below": "1.0.0"})
    return "interrupted"


def daemon(home: Path, registry: str, store: Path, package: str) -> "subprocess.Popen[str]":
    arguments = [os.fspath(home), registry, os.fspath(store), package]
    root = Path(__file__).parents[2]
    return subprocess.Popen(
        [sys.executable, "-c", DAEMON, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd=root,
    )


def complete(store: Path) -> Iterator[Path]:
    """The directories that have their final name."""
    return (store / "npm").glob("*")


def runs(directory: Path) -> str:
    program = directory / "node_modules" / "interrupted" / "index.js"
    return subprocess.run(["node", program], capture_output=True, text=True, check=True).stdout


@pytest.mark.timeout(240)
def test_an_installation_is_killed_at_any_moment(npm_registry: NpmRegistry, package: str, tmp_path: Path) -> None:
    store, home = tmp_path / "store", tmp_path / "home"
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    cut_short = 0
    for _ in range(KILLS):
        with daemon(home, npm_registry.url, store, package) as unit:
            assert unit.stdout is not None
            assert unit.stdout.readline() == "begins\n"
            try:
                unit.wait(timeout=chance.uniform(0, LONGEST_RUN_S))
            except subprocess.TimeoutExpired:
                unit.send_signal(signal.SIGKILL)
                cut_short += 1
        wait_until(lambda: not processes_below(tmp_path), what="npm has ended with its daemon")
        for directory in complete(store):
            assert read_record(directory) is not None
            assert runs(directory) == "300 below\n"
            # Away with it, so that the next one installs again.
            directory.rename(tmp_path / f"complete-{time.monotonic_ns()}")
    assert cut_short, "no installation was ever interrupted"

    with daemon(home, npm_registry.url, store, package) as unit:
        said, _ = unit.communicate()
        assert said == "begins\ninstalled\n"
    (directory,) = complete(store)
    assert runs(directory) == "300 below\n"
    assert not list((store / ".unfinished").iterdir())
    assert not list((store / ".locks").iterdir())


def test_two_units_install_it_once(npm_registry: NpmRegistry, tmp_path: Path) -> None:
    npm_registry.publish("wanted-by-two", "1.0.0", {"index.js": "", **FILES})
    store = tmp_path / "store"
    homes = [tmp_path / "one", tmp_path / "two"]
    units = [daemon(home, npm_registry.url, store, "wanted-by-two") for home in homes]
    said = [unit.communicate()[0] for unit in units]
    assert said == ["begins\ninstalled\n"] * 2
    assert len(list(complete(store))) == 1
    assert npm_registry.downloads("wanted-by-two") == 1


async def test_a_full_disk_is_said_and_the_next_attempt_succeeds(npm_registry: NpmRegistry, tmp_path: Path) -> None:
    npm_registry.publish("filling", "1.0.0", {"index.js": "", "data": os.urandom(8 * 2**20)})
    with small_disk(tmp_path / "disk", mib=12) as disk:
        store = npm_store(tmp_path / "home", npm_registry.url, store=disk / "store")
        ballast = disk / "ballast"
        fill(ballast, 6)
        with pytest.raises(InstallFailed) as failed:
            await store.ensure(npm("filling", "1.0.0"))
        assert (failed.value.reason, failed.value.may_heal) == ("disk_full", True)
        assert what_is_left(disk) == {"ballast"}
        fill(ballast, 0)
        found = await store.ensure(npm("filling", "1.0.0"))
        assert found.version == "1.0.0"
        assert {RECORD, "index.js", "data", "package.json"} <= {name.rpartition("/")[2] for name in what_is_left(disk)}


async def test_rows_of_other_packages_do_not_wait_for_a_slow_one(npm_registry: NpmRegistry, tmp_path: Path) -> None:
    npm_registry.publish("slow", "1.0.0", {"index.js": ""}, scripts={"install": "sleep 3600"})
    npm_registry.publish("quick", "1.0.0", {"index.js": ""})
    store = npm_store(tmp_path / "home", npm_registry.url, scripts=True)
    slow = asyncio.create_task(store.ensure(npm("slow", "1.0.0")))
    assert (await store.ensure(npm("quick", "1.0.0"))).version == "1.0.0"
    assert not slow.done()
    slow.cancel()
    await asyncio.wait([slow])
    assert not processes_below(tmp_path)


def fill(file: Path, mib: int) -> None:
    file.write_bytes(b"\0" * mib * 2**20)


def what_is_left(disk: Path) -> set[str]:
    return {str(path.relative_to(disk)) for path in disk.rglob("*") if path.is_file()}
