"""The lock of a Python package: a requirements file with the exact version and the SHA-256 sums of every package.

    demo-app==1.1 --hash=sha256:6ebf… # demo_app-1.1-py3-none-any.whl
    demo-dep==1.0 --hash=sha256:f714…

pip and uv install from it, and it names no index. pip reports the one file that it took, whose name is kept; uv reports
the sums of all files of a version, so that a lock made by uv also serves units with another Python.

A lock comes back from the database, so it is read as strictly as a row: what is not in this form is refused.
"""

import re
from collections.abc import Iterable
from typing import NamedTuple

from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from nodeunit.install.package import InstallFailed, Lock
from nodeunit.install.python.request import Name

_LARGEST = 4 * 1024 * 1024
_PINNED = re.compile(
    r"(?P<name>[A-Za-z0-9][A-Za-z0-9._-]{0,199})==(?P<version>[A-Za-z0-9.!+_-]{1,200})"
    r"(?P<hashes>(?: --hash=sha256:[0-9a-f]{64})+)(?: # (?P<file>[A-Za-z0-9._+!-]{1,255}))?",
    re.ASCII,
)


class Pinned(NamedTuple):
    """One package of a lock."""

    name: str
    version: str
    hashes: tuple[str, ...]
    """SHA-256 sums in hexadecimal, one for each file that may be installed."""
    file: str = ""
    """The file that was taken, where the tool told it."""

    def __str__(self) -> str:
        hashes = "".join(f" --hash=sha256:{one}" for one in self.hashes)
        return f"{self.name}=={self.version}{hashes}{f' # {self.file}' if self.file else ''}"


def make_lock(name: Name, packages: Iterable[Pinned]) -> Lock:
    """The lock of `name` and all below it. Raises InstallFailed if `name` is not among the packages."""
    ordered = sorted(set(packages))
    return lock_of(name, "".join(f"{package}\n" for package in ordered))


def lock_of(name: Name, text: str) -> Lock:
    """The lock with this text. Raises InstallFailed (`bad_manifest`) if it is not one of `name`."""
    packages = parse(text)
    root = next((package for package in packages if package.name == name.base), None)
    if root is None:
        raise InstallFailed("bad_manifest", f"The lock does not contain {name.base}.", may_heal=False)
    integrity = " ".join(f"sha256:{one}" for one in root.hashes)
    return Lock(root.version, integrity, text, len(packages))


def parse(text: str) -> list[Pinned]:
    """The packages of a lock. Raises InstallFailed (`bad_manifest`) for anything else."""
    if len(text) > _LARGEST:
        raise InstallFailed("bad_manifest", f"The lock is larger than {_LARGEST} characters.", may_heal=False)
    return [_pinned(line) for line in text.split("\n") if line]


def _pinned(line: str) -> Pinned:
    found = _PINNED.fullmatch(line)
    if found is None or not is_same_version(found["version"], found["version"]):
        raise InstallFailed("bad_manifest", f"The lock contains {line[:80]!r}, which is no package.", may_heal=False)
    hashes = tuple(sorted(re.findall(r"[0-9a-f]{64}", found["hashes"])))
    return Pinned(canonicalize_name(found["name"]), found["version"], hashes, found["file"] or "")


def is_same_version(one: str, other: str) -> bool:
    """Whether both are the same version, however they are written: `1.0` is `1.0.0`."""
    try:
        return Version(one) == Version(other)
    except InvalidVersion:
        return False
