"""Python packages in tests: one of the two installers, with a home, a store and a place where nothing may happen."""

import itertools
import os
import shutil
import sys
from collections.abc import Awaitable
from pathlib import Path

import pytest

from nodeunit.install.child import Limits
from nodeunit.install.package import InstallFailed, Lock
from nodeunit.install.python import PythonInstaller
from tests.support.registries import PythonIndex

LIMITS = Limits(time_s=120, disk_bytes=64 * 2**20, file_bytes=16 * 2**20)


class PythonInstalls:
    """Installs packages of `index` into `store`. `home` is that of the unit's user."""

    def __init__(self, tool: str, root: Path, index: PythonIndex, monkeypatch: pytest.MonkeyPatch) -> None:
        self.tool = tool
        self.index = index
        self.home, self.store, self.outside = (root / name for name in ("home", "store", "outside"))
        for directory in (self.home, self.store, self.outside):
            directory.mkdir()
        self._cache = root / "cache"
        self._numbers = itertools.count(1)
        monkeypatch.setenv("HOME", str(self.home))
        monkeypatch.setenv("PATH", path_with(tool))

    def installer(self, *, index: str = "", source_builds: bool = False, limits: Limits = LIMITS) -> PythonInstaller:
        """Asks the index of the test, or another one."""
        return PythonInstaller(
            self._cache, index=index or self.index.url, source_builds=source_builds, limits=limits
        )  # fmt: skip

    async def install(
        self, name: str, version: str, lock: Lock | None = None, *, installer: PythonInstaller | None = None
    ) -> tuple[Path, Lock]:
        """Installs under a temporary name and returns the final one, as the store does."""
        number = next(self._numbers)
        directory = self.store / f"unfinished-{number}"
        directory.mkdir()
        made = await (installer or self.installer()).install(name, version, lock, directory)
        return directory.rename(self.store / f"{name}-{number}"), made

    def forget_downloads(self) -> None:
        """As on another unit."""
        shutil.rmtree(self._cache, ignore_errors=True)

    def untouched(self) -> list[tuple[Path, float]]:
        """All around store and cache, with the times of its last changes."""
        around = [top for directory in (self.home, self.outside) for top in (directory, *directory.rglob("*"))]
        beside = [path for path in self.home.parent.iterdir() if path not in (self.store, self._cache)]
        return [(path, path.lstat().st_mtime) for path in sorted({*around, *beside})]


async def refusal(attempt: Awaitable[object]) -> InstallFailed:
    """The failure of an attempt that must fail."""
    with pytest.raises(InstallFailed) as failed:
        await attempt
    return failed.value


def path_with(tool: str) -> str:
    """A PATH with uv, which lies beside this Python, or with none."""
    if tool == "uv":
        return os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    directories = os.environ["PATH"].split(os.pathsep)
    return os.pathsep.join(one for one in directories if not Path(one, "uv").exists())
