"""What the lock says is installed, as a CycloneDX file that the wheel carries (PEP 770).

    python -m tools.sbom     writes sbom.cdx.json; `make update` does

It is a function of the lock alone: no time and no random number, so that a build can be made again bit by bit.
"""

import json
import re
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
LOCK = ROOT / "requirements.lock"
SBOM = ROOT / "sbom.cdx.json"

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


def main() -> None:
    SBOM.write_text(sbom(LOCK.read_text()))


if __name__ == "__main__":
    main()
