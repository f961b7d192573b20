"""What the lock says is installed, as a CycloneDX file that each build puts into the wheel (PEP 770).

It is a function of the lock alone: no time and no random number, so that a build can be made again bit by bit.
"""

import json
import re
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

LOCK = "requirements.lock"

_PINNED = re.compile(r"^(?P<name>[A-Za-z0-9._-]+)==(?P<version>[^\s;\\]+)")


def components(lock: str) -> list[dict[str, Any]]:
    """Each package of the lock with its version, in order of names; the checksums of their files are in the lock."""
    found: list[dict[str, Any]] = []
    for line in lock.splitlines():
        if pinned := _PINNED.match(line):
            name = re.sub(r"[-_.]+", "-", pinned["name"]).lower()
            version = pinned["version"]
            found.append({"type": "library", "name": name, "version": version, "purl": f"pkg:pypi/{name}@{version}"})
    return sorted(found, key=lambda one: (one["name"], one["version"]))


def sbom(lock: str) -> str:
    """The file."""
    content = {"bomFormat": "CycloneDX", "specVersion": "1.6", "version": 1, "components": components(lock)}
    return json.dumps(content, indent=1) + "\n"


class SbomHook(BuildHookInterface):  # type: ignore[type-arg]  # of the configuration, which it does not need
    """Hatchling calls it with each build of a wheel."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        self._directory = tempfile.TemporaryDirectory()
        file = Path(self._directory.name, "sbom.cdx.json")
        file.write_text(sbom(Path(self.root, LOCK).read_text(encoding="utf8")), encoding="utf8")
        build_data["sbom_files"].append(str(file))

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        self._directory.cleanup()
