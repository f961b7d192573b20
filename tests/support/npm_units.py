"""Stores of units with the npm installer, each with a home of its own."""

from pathlib import Path
from typing import Any

from nodeunit.install.npm import NpmInstaller
from nodeunit.install.package import Package
from nodeunit.install.store import InstallStore

NOBODY = "http://127.0.0.1:1"
"""A registry that refuses every connection."""

BASE_PATH = "/usr/local/bin:/usr/bin:/bin"


def npm_store(home: Path, registry: str, *, npmrc: str = "", store: Path | None = None, **options: Any) -> InstallStore:
    """The store of a unit whose user has this home; `registry`: empty as `npmrc` says."""
    home.mkdir(exist_ok=True)
    (home / ".npmrc").write_text(npmrc)
    environ = {"HOME": str(home), "PATH": BASE_PATH}
    installer = NpmInstaller(home / "cache", registry=registry, environ=environ, **options)
    return InstallStore(store or home / "store", [installer])


def npm(name: str, wanted: str = "") -> Package:
    return Package("npm", name, wanted)
