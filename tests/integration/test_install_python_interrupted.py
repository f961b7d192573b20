"""Python installations that are killed, doubled, or run out of disk: the next one succeeds, and nothing half-installed
runs."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from nodeunit.install.package import InstallFailed, Package
from nodeunit.install.record import read_record
from nodeunit.install.store import InstallStore
from tests.support.processes import processes_below
from tests.support.python_installs import PythonInstalls, path_with
from tests.support.registries import PythonIndex
from tests.support.small_disk import small_disk
from tests.support.waiting import wait_until

KILLS = 10
"""For each tool."""
MODULES = 200

DAEMON = """
import asyncio, sys
from pathlib import Path
from nodeunit.install.package import Package
from nodeunit.install.python import PythonInstaller
from nodeunit.install.store import InstallStore

root, index, name = sys.argv[1:]
store = InstallStore(Path(root, "store"), [PythonInstaller(Path(root, "cache"), index=index)])
store.clean()
print("begins", flush=True)
asyncio.run(store.ensure(Package("python", name, "1.0")))
print("installed", flush=True)
"""
"""What a unit's daemon does with the store, as a process that can be killed."""

pytestmark = pytest.mark.timeout(240)

both = pytest.mark.parametrize("tool", ["uv", "pip"])


def publish(index: PythonIndex, name: str) -> None:
    """A package with another one below it; its program says whether all modules of that are there."""
    module, below = name.replace("-", "_"), f"{name.replace('-', '_')}_below"
    program = (
        "import importlib\ndef main():\n"
        f"    print(len([importlib.import_module(f'{below}.part{{n}}') for n in range({MODULES})]))\n"
    )
    index.add_wheel(f"{name}-below", "1.0", {f"{below}/part{n}.py": f"NUMBER = {n}\n" * 20 for n in range(MODULES)})
    index.add_wheel(name, "1.0", {f"{module}.py": program}, {name: f"{module}:main"}, requires=[f"{name}-below"])


def daemon(root: Path, tool: str, index: PythonIndex, name: str) -> "subprocess.Popen[str]":
    home = root / "home"
    home.mkdir(exist_ok=True)
    return subprocess.Popen(
        [sys.executable, "-c", DAEMON, os.fspath(root), index.url, name],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={"PATH": path_with(tool), "HOME": os.fspath(home)},
    )


def complete(root: Path) -> list[Path]:
    """The directories that have their final name."""
    return list((root / "store" / "python").glob("*"))


def runs(directory: Path, name: str) -> str:
    script = directory / "environment" / "bin" / name
    return subprocess.run([script], capture_output=True, text=True, check=True).stdout


@both
def test_an_installation_is_killed_at_any_moment(python_index: PythonIndex, tmp_path: Path, tool: str) -> None:
    publish(python_index, "killed")
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    began = time.monotonic()
    with daemon(tmp_path, tool, python_index, "killed") as unit:
        assert unit.communicate()[0] == "begins\ninstalled\n"
    whole_s = time.monotonic() - began
    (directory,) = complete(tmp_path)
    directory.rename(tmp_path / "complete")

    cut_short = 0
    # The first one certainly in the middle, whatever a quick machine and a warm cache make of the others.
    for moment in (0.3, *(chance.random() for _ in range(KILLS - 1))):
        with daemon(tmp_path, tool, python_index, "killed") as unit:
            assert unit.stdout is not None
            assert unit.stdout.readline() == "begins\n"
            try:
                unit.wait(timeout=moment * whole_s)
            except subprocess.TimeoutExpired:
                unit.send_signal(signal.SIGKILL)
                cut_short += 1
        wait_until(lambda: not processes_below(tmp_path), what="the installer has ended with its daemon")
        for directory in complete(tmp_path):
            assert read_record(directory) is not None
            assert runs(directory, "killed") == f"{MODULES}\n"
            # Away with it, so that the next one installs again.
            directory.rename(tmp_path / f"complete-{time.monotonic_ns()}")
    assert cut_short, "no installation was ever interrupted"

    with daemon(tmp_path, tool, python_index, "killed") as unit:
        assert unit.communicate()[0] == "begins\ninstalled\n"
    (directory,) = complete(tmp_path)
    assert runs(directory, "killed") == f"{MODULES}\n"
    assert not list((tmp_path / "store" / ".unfinished").iterdir())


@both
def test_two_units_install_it_once(python_index: PythonIndex, tmp_path: Path, tool: str) -> None:
    name = f"doubled-{tool}"
    publish(python_index, name)
    units = [daemon(tmp_path, tool, python_index, name) for _ in range(2)]
    assert [unit.communicate()[0] for unit in units] == ["begins\ninstalled\n"] * 2
    (directory,) = complete(tmp_path)
    assert runs(directory, name) == f"{MODULES}\n"


@both
async def test_a_full_disk_is_said_and_the_next_attempt_succeeds(
    python_index: PythonIndex, tmp_path: Path, tool: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    python_index.add_wheel("filling", "1.0", {"filling/__main__.py": "", "filling/data": os.urandom(4 * 2**20)})
    installs = PythonInstalls(tool, tmp_path, python_index, monkeypatch)
    with small_disk(tmp_path / "disk", mib=24) as disk:
        store = InstallStore(disk / "store", [installs.installer()])
        ballast = disk / "ballast"
        ballast.write_bytes(bytes(21 * 2**20))
        with pytest.raises(InstallFailed) as failed:
            await store.ensure(Package("python", "filling", "1.0"))
        assert (failed.value.reason, failed.value.may_heal) == ("disk_full", True)
        assert {path for path in disk.rglob("*") if path.is_file()} == {ballast}
        ballast.unlink()
        found = await store.ensure(Package("python", "filling", "1.0"))
        assert found.argv[-2:] == ("-m", "filling")
