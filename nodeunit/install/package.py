"""What an installer is asked for, what it answers, and why it may fail."""

import hashlib
from pathlib import Path
from typing import Literal, NamedTuple, Protocol

Reason = Literal[
    "runtime_missing",
    "bad_name",
    "no_such_package",
    "no_such_version",
    "registry_unreachable",
    "registry_refused",
    "wrong_bytes",
    "disk_full",
    "too_large",
    "timed_out",
    "bad_manifest",
    "no_entry",
    "needs_scripts",
    "install_failed",
]
"""Why nothing was installed.

`registry_refused`: it wants other credentials. `wrong_bytes`: it serves other bytes than the lock records.
`too_large`: the installer reached its limit of disk or memory. `no_entry`: the package has nothing to run.
`needs_scripts`: the package would run code while it is installed, which the unit does not allow.
"""


_LONGEST_DETAIL = 1000


class InstallFailed(Exception):
    """An installation did not succeed; nothing of it is left in the store."""

    def __init__(self, reason: Reason, detail: str, may_heal: bool) -> None:
        # Some of the text is a package's or a registry's, and it goes into an event.
        self.detail = "".join(c if c.isprintable() else " " for c in detail[:_LONGEST_DETAIL])
        """One sentence for people, on one line: what was refused, and what to do."""
        super().__init__(self.detail)
        self.reason: Reason = reason
        self.may_heal = may_heal
        """Whether the same request may succeed later without a change of the row or of the unit."""


class Package(NamedTuple):
    """What a row asks for."""

    runtime: str
    """`npm` or `python`."""
    name: str
    wanted: str
    """An exact version, a range or a tag, as the row has it; empty: the newest."""


class Lock(NamedTuple):
    """Exactly what was installed, with everything below it: another unit that is given the lock installs the same."""

    version: str
    """The exact version of the package."""
    integrity: str
    """The hash of the package itself, as its registry writes it: `sha512-…` in base64 or `sha256:…`."""
    text: str
    """The lock file of the registry's own tool."""
    packages: int = 0
    """How many packages it names; 0: not counted."""

    @property
    def digest(self) -> str:
        """SHA-256 of the text, in hexadecimal."""
        return hashlib.sha256(self.text.encode()).hexdigest()


class Entry(NamedTuple):
    """How an installed package is run."""

    argv: tuple[str, ...]
    """The program and its first arguments, absolute; empty if the package has nothing to run by itself."""
    path: tuple[str, ...]
    """The directories with the executables of the package, absolute, for the front of PATH."""
    problem: str = ""
    """If `argv` is empty: one sentence that says why."""


class Installed(NamedTuple):
    """A complete installation in the store."""

    package: Package
    version: str
    directory: Path
    argv: tuple[str, ...]
    path: tuple[str, ...]
    lock: Lock
    packages: int
    """How many packages were installed, this one included."""
    took_s: float
    """Seconds that the installation took when it was made; 0 if it was there already."""


class Installer(Protocol):
    """One registry. Every method may raise InstallFailed."""

    runtime: str

    def missing(self) -> str:
        """One sentence that says what this unit lacks; empty if it can install and run packages of this runtime."""

    async def resolve(self, name: str, wanted: str) -> str:
        """The exact version that is meant by `wanted` now. An exact version needs no registry."""

    async def install(self, name: str, version: str, lock: Lock | None, directory: Path) -> Lock:
        """Installs into an empty directory, which may get another name later; with a lock, exactly what it records.

        What is left in the directory after an error or a cancellation is removed by the caller.
        """

    def entry(self, directory: Path, name: str) -> Entry:
        """How the package in `directory`, where `install` was completed, is run.

        A package without a program of its own is no failure here, because a row may bring a command.
        """
