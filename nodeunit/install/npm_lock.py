"""npm's lock file: what it must be before npm is given it, or before it is kept.

A lock names packages of a registry with the hash of each, and neither a host nor a path: units may use other mirrors,
and npm follows what a lock says. So a lock with anything else is refused, wherever it comes from.
"""

import json
import re
from typing import Any

from nodeunit.domain.npm_names import comes_from_a_registry
from nodeunit.install.package import InstallFailed, Lock

LONGEST = 8 * 2**20
"""Characters of a lock, all ASCII; the fleet keeps no longer one."""
_PLACE = re.compile(r"(?:^|/)node_modules/((?:@[^/@\\]+/)?[^/@\\.][^/\\]*)")
_HASHES = re.compile(r"sha\d{1,3}-[A-Za-z0-9+/=]{1,200}(?: sha\d{1,3}-[A-Za-z0-9+/=]{1,200}){0,9}")
_DEPENDENCIES = ("dependencies", "optionalDependencies", "peerDependencies")


def read_lock(name: str, text: str) -> Lock:
    """The lock of a package from the text of `package-lock.json`, which is written anew without the registry's URLs.

    Raises InstallFailed (`bad_manifest`).
    """
    try:
        if len(text) > LONGEST:
            raise ValueError(f"it is longer than {LONGEST} characters")
        content = json.loads(text)
        packages: dict[str, dict[str, Any]] = content["packages"]
        for place, package in packages.items():
            if place:
                _check(place, package)
                package.pop("resolved", None)
        own = packages[f"node_modules/{name}"]
        version, integrity = own["version"], own["integrity"]
        if not isinstance(version, str) or not isinstance(integrity, str) or not _HASHES.fullmatch(integrity):
            raise ValueError("its version or its hash is none")
        written = json.dumps(content, indent=1)
        if len(written) > LONGEST:
            raise ValueError(f"it is longer than {LONGEST} characters")
        return Lock(version, integrity, written, len(packages) - ("" in packages))
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        what = f"it lacks {error}" if isinstance(error, KeyError) else str(error)
        raise InstallFailed("bad_manifest", f"The lock of {name} is refused: {what}.", may_heal=False) from error


def _check(place: str, package: dict[str, Any]) -> None:
    """Raises ValueError."""
    names = _PLACE.findall(place)
    if "/".join(f"node_modules/{name}" for name in names) != place:
        raise ValueError(f"{place!r} is no place of a package")
    if package.get("link"):
        raise ValueError(f"{place} is a link to a folder")
    if not package.get("integrity") and not package.get("inBundle"):
        raise ValueError(f"{place} has no hash, so it is from no registry")
    resolved = package.get("resolved", "https:")
    if not isinstance(resolved, str) or not resolved.startswith(("http:", "https:")):
        raise ValueError(f"{place} is from {resolved!r}, which is no registry")
    for kind in _DEPENDENCIES:
        for dependency, wanted in package.get(kind, {}).items():
            if not comes_from_a_registry(wanted):
                raise ValueError(f"{place} wants {dependency} from {wanted!r}, which is no registry")
