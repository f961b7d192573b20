"""An installer whose registry is a folder: NAME/VERSION/ is copied. It shows what the store does with any installer."""

import asyncio
import shutil
from pathlib import Path

from nodeunit.install.package import Entry, InstallFailed, Lock


class FolderInstaller:
    """Its lock is the name of the folder."""

    runtime = "folder"

    def __init__(self, registry: Path) -> None:
        self._registry = registry
        self.started = 0
        self.may_go_on = asyncio.Event()
        """Clear it, and installations wait when half of the files are there."""
        self.may_go_on.set()

    def publish(self, name: str, version: str, *, program: str | None = "#!/bin/sh\n") -> None:
        folder = self._registry / name / version
        folder.mkdir(parents=True)
        (folder / "first").write_text(version)
        if program is not None:
            (folder / "program").write_text(program)

    def missing(self) -> str:
        return "" if self._registry.is_dir() else f"{self._registry} is missing."

    async def resolve(self, name: str, wanted: str) -> str:
        return wanted or max(path.name for path in (self._registry / name).iterdir())

    async def install(self, name: str, version: str, lock: Lock | None, directory: Path) -> Lock:
        self.started += 1
        folder = self._registry / name / version
        await asyncio.to_thread(_copy, folder, ["first"], directory)
        await self.may_go_on.wait()
        await asyncio.to_thread(_copy, folder, ["first", "program"], directory)
        return lock or Lock(version, "sha256-x", f"{name} {version}", packages=1)

    def entry(self, directory: Path, name: str) -> Entry:
        program = directory / "program"
        if not program.exists():
            return Entry((), (str(directory),), f"{name} has no program.")
        return Entry((str(program),), (str(directory),))


def _copy(folder: Path, files: list[str], directory: Path) -> None:
    if not folder.is_dir():
        raise InstallFailed("no_such_version", f"{folder} is missing.", may_heal=True)
    for file in files:
        if (folder / file).exists():
            shutil.copy(folder / file, directory)
