"""The lock holds everything that the tests need, by exact version and checksum, and names no place to get it from."""

import re
import tomllib
from pathlib import Path

from packaging.requirements import Requirement

ROOT = Path(__file__).parents[2]
LOCK = (ROOT / "requirements.lock").read_text()

PINNED = re.compile(
    r"([a-z0-9-]+)(?:\[[a-z,]+\])?==(\S+)(?: ; [^\\\n]+)? \\\n"
    r"(?:    --hash=sha256:[0-9a-f]{64}(?: \\)?\n)+"
)
"""A package, and nothing but checksums below it."""


def declared() -> list[Requirement]:
    """All that pyproject.toml asks for, extras too."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    return [Requirement(text) for text in sum(extras.values(), start=list(project["dependencies"]))]


def pinned() -> dict[str, list[str]]:
    """The versions of each package: several when they differ by version of Python."""
    versions: dict[str, list[str]] = {}
    rest = re.sub(r"(?m)^#.*\n", "", LOCK)
    while rest:
        found = PINNED.match(rest)
        assert found, f"neither a pinned package nor its checksums: {rest[:200]!r}"
        versions.setdefault(found[1], []).append(found[2])
        rest = rest[found.end() :]
    return versions


def test_every_declared_package_is_pinned_within_its_range() -> None:
    versions = pinned()
    missing = [str(one) for one in declared() if one.name not in versions]
    assert missing == [], "`make update` renews the lock"
    outside = [
        f"{one} is pinned to {version}"
        for one in declared()
        for version in versions[one.name]
        if not one.specifier.contains(version)
    ]
    assert outside == [], "`make update` renews the lock"


def test_no_place_is_named() -> None:
    assert "://" not in LOCK
    assert "index-url" not in LOCK
    assert "find-links" not in LOCK
