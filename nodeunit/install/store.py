"""The packages installed on this unit, each once per version and lock, shared by its deployments and by other units.

    <root>/RUNTIME/NAME@VERSION-HASH/   complete since it has this name; nodeunit-install.json in it says what it is
    <root>/.unfinished/KEY/             what is being installed, or was when a unit died
    <root>/.locks/KEY                   held by who installs or removes; KEY is a runtime, a name and a version

HASH is of runtime, name, version and lock. A directory gets its name only after everything in it is on the disk.
"""

import asyncio
import errno
import hashlib
import logging
import os
import re
import secrets
import time
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from nodeunit.install.downloads import limit_downloads
from nodeunit.install.lock_file import locked, locked_now
from nodeunit.install.package import Installed, Installer, InstallFailed, Lock, Package
from nodeunit.install.record import RECORD, Record, read_record, remove_tree, write_record
from nodeunit.install.shared import SharedWork
from nodeunit.process.disk_usage import disk_bytes
from nodeunit.process.linux import sync_file_system

log = logging.getLogger(__name__)

_AT_ONCE = 3
_LONGEST_LABEL = 150
_HASH_LENGTH = 16


class _Found(NamedTuple):
    directory: Path
    record: Record
    took_s: float = 0


class InstallStore:
    """Installs packages under `root` by the installers of their runtimes, of each of which three run at once."""

    def __init__(
        self, root: Path, installers: Iterable[Installer], cache: Path | None = None, mode: int = 0o700
    ) -> None:
        """`cache`: the directory in which each installer has one for its downloads; None: they are not looked after.
        `mode`: of the directory of the store."""
        self._root = root
        self._mode = mode
        self._cache = cache
        self._installers = {installer.runtime: installer for installer in installers}
        self._sizes: dict[str, int] = {}
        self._resolving: SharedWork[str] = SharedWork()
        self._installing: SharedWork[_Found] = SharedWork()
        # One for each runtime, because a registry that does not answer must not keep others waiting.
        self._at_once = {runtime: asyncio.Semaphore(_AT_ONCE) for runtime in self._installers}

    def missing(self, runtime: str) -> str:
        """One sentence that says why this unit cannot install packages of a runtime; empty if it can."""
        installer = self._installers.get(runtime)
        return installer.missing() if installer else f"This unit has no installer for the runtime {runtime!r}."

    async def resolve(self, package: Package) -> str:
        """The exact version that the package's range or tag means now. Raises InstallFailed."""
        installer = self._installer(package.runtime)

        async def ask() -> str:
            async with self._at_once[package.runtime]:
                return await installer.resolve(package.name, package.wanted)

        with _disk_failures_said(package.name, package.wanted):
            return await self._resolving.get(package, ask)

    def find(self, runtime: str, name: str, version: str, lock: Lock | None = None) -> bool:
        """Whether an exact version is installed here already: as the lock says, or with any."""
        try:
            return self._find(runtime, name, version, lock) is not None
        except OSError:
            return False  # `ensure` says what is wrong

    async def ensure(self, package: Package, lock: Lock | None = None, *, needs_entry: bool = True) -> Installed:
        """The installation of a package: as the lock says; without one, of the version that is meant now.

        It is made if it is not there. `needs_entry` is false for a row that brings its own command. Raises
        InstallFailed; all who wait for the same installation get the same failure.
        """
        installer = self._installer(package.runtime)
        version = lock.version if lock else await self.resolve(package)
        with _disk_failures_said(package.name, version):
            found = self._find(package.runtime, package.name, version, lock)
            if found is None:
                key = package.runtime, package.name, version, lock.digest if lock else ""
                found = await self._installing.get(key, lambda: self._install(installer, package.name, version, lock))
            entry = installer.entry(found.directory, package.name)
        if needs_entry and not entry.argv:
            raise InstallFailed("no_entry", entry.problem, may_heal=False)
        record = found.record
        return Installed(
            package, record.version, found.directory, entry.argv, entry.path, record.as_lock(), record.packages,
            found.took_s,
        )  # fmt: skip

    def clean(self) -> None:
        """Removes what installations left unfinished that nobody works on. For the start of a unit; walks the disk."""
        for room in self._listed(".unfinished"):
            try:
                with locked_now(self._locks / room.name) as acquired:
                    if acquired:
                        remove_tree(room)
            except OSError as error:
                log.warning("what an installation left cannot be removed: %s", error)

    def collect(self, in_use: Collection[Path], older_than_s: float) -> list[Path]:
        """Removes the installations that nothing has used for `older_than_s`, and returns them; downloads too, if they
        are very many. Walks the disk.

        `in_use` are the directories of the unit's rows, which are noted as used now. Units that share a store see each
        other's use by this only, so each must call it several times in `older_than_s`.
        """
        for directory in in_use:
            _note_use(directory)
        if self._cache is not None:
            limit_downloads(self._cache)
        removed = []
        for directory in (path for runtime in self._installers for path in self._listed(runtime)):
            try:
                if _unused_s(directory) > older_than_s and self._remove(directory, older_than_s):
                    removed.append(directory)
            except OSError as error:
                log.warning("an installation that nothing uses cannot be removed: %s", error)
        return removed

    def size_bytes(self) -> int:
        """What the installations use on disk. Each is walked once, because it does not change."""
        directories = {str(path) for runtime in self._installers for path in self._listed(runtime)}
        self._sizes = {path: self._sizes.get(path) or disk_bytes(path) for path in directories}
        return sum(self._sizes.values())

    @property
    def _locks(self) -> Path:
        return self._root / ".locks"

    def _installer(self, runtime: str) -> Installer:
        missing = self.missing(runtime)
        if missing:
            raise InstallFailed("runtime_missing", missing, may_heal=True)
        return self._installers[runtime]

    def _find(self, runtime: str, name: str, version: str, lock: Lock | None) -> _Found | None:
        if lock is not None:
            candidates = [self._final(runtime, name, version, lock)]
        else:
            prefix = f"{_label(name, version)}-"
            candidates = [path for path in self._listed(runtime) if path.name[:-_HASH_LENGTH] == prefix]
        for directory in candidates:
            # Noted before it is read: from then on it is not removed as unused.
            _note_use(directory)
            record = read_record(directory)
            if record is not None and (record.runtime, record.name, record.version) == (runtime, name, version):
                return _Found(directory, record)
        return None

    def _final(self, runtime: str, name: str, version: str, lock: Lock) -> Path:
        return self._root / runtime / f"{_label(name, version)}-{_hash(runtime, name, version, lock.digest)}"

    async def _install(self, installer: Installer, name: str, version: str, lock: Lock | None) -> _Found:
        key = _key(installer.runtime, name, version)
        # Private, as some of the packages may be.
        self._root.mkdir(mode=self._mode, parents=True, exist_ok=True)
        if self._root.stat().st_uid == os.geteuid():
            self._root.chmod(self._mode)
        self._locks.mkdir(exist_ok=True)
        async with locked(self._locks / key), self._at_once[installer.runtime]:
            # Another unit may have installed it meanwhile.
            found = self._find(installer.runtime, name, version, lock)
            return found or await self._install_alone(installer, name, version, lock, key)

    async def _install_alone(
        self, installer: Installer, name: str, version: str, lock: Lock | None, key: str
    ) -> _Found:
        started = time.monotonic()
        room = self._root / ".unfinished" / key
        directory = room / secrets.token_hex(8)
        try:
            directory.mkdir(parents=True)
            made = await installer.install(name, version, lock, directory)
            installer.entry(directory, name)  # what has a hostile manifest is not kept
            took_s = round(time.monotonic() - started, 3)
            record = Record(installer.runtime, name, version, made.integrity, made.text, made.packages, took_s)
            final = self._final(installer.runtime, name, version, made)
            await asyncio.to_thread(_complete, directory, final, record, room)
            return _Found(final, record, took_s)
        finally:
            # The thread goes on even if this is cancelled a second time; the lock may then end before it.
            await asyncio.to_thread(remove_tree, room)

    def _listed(self, name: str) -> list[Path]:
        """What a directory of the store contains; nothing if it is not there or cannot be read."""
        try:
            return sorted((self._root / name).iterdir())
        except OSError:
            return []

    def _remove(self, directory: Path, older_than_s: float) -> bool:
        runtime = directory.parent.name
        record = read_record(directory)
        key = _key(runtime, record.name, record.version) if record else _key(runtime, directory.name, "")
        self._locks.mkdir(parents=True, exist_ok=True)
        with locked_now(self._locks / key) as acquired:
            if not acquired:
                return False
            room = self._root / ".unfinished" / key
            away = room / secrets.token_hex(8)
            away.parent.mkdir(parents=True, exist_ok=True)
            directory.rename(away)
            if _unused_s(away) <= older_than_s:
                away.rename(directory)  # somebody found it in the last moment
                return False
            remove_tree(room)
            return True


def _complete(directory: Path, final: Path, record: Record, room: Path) -> None:
    """Gives a directory its final name once everything in it is on the disk."""
    write_record(directory, record)
    final.parent.mkdir(exist_ok=True)
    if final.exists():
        final.rename(room / secrets.token_hex(8))  # its record is damaged, or it would have been found
    fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        sync_file_system(fd)
        directory.rename(final)
        sync_file_system(fd)
    finally:
        os.close(fd)


@contextmanager
def _disk_failures_said(name: str, version: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            said = f"The disk of the install store is full: {error.strerror}."
            raise InstallFailed("disk_full", said, may_heal=True) from error
        said = f"{name}@{version} cannot be put into the store: {error}."
        raise InstallFailed("install_failed", said, may_heal=True) from error


def _label(name: str, version: str) -> str:
    """A part of a file name that people recognise; no text of a row can make a path of it."""
    return re.sub(r"[^A-Za-z0-9@._~-]", "+", f"{name}@{version}")[:_LONGEST_LABEL]


def _hash(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:_HASH_LENGTH]


def _key(runtime: str, name: str, version: str) -> str:
    return f"{runtime}-{_label(name, version)}-{_hash(runtime, name, version)}"


def _note_use(directory: Path) -> None:
    try:
        os.utime(directory / RECORD)
    except OSError:
        pass  # it is not there, or the disk is read-only


def _unused_s(directory: Path) -> float:
    """Seconds since the last use; without a record, since the directory changed."""
    for path in (directory / RECORD, directory):
        try:
            return time.time() - path.stat().st_mtime
        except OSError:
            continue
    return 0
