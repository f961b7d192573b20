"""Whether a lock that was made on another unit has all that this unit's Python needs.

A package may need another one for some versions of Python only (`typing-extensions; python_version < "3.13"`). A lock
that was made with a later Python lacks it, and the program would fail at an import.
"""

from collections.abc import Iterator
from importlib.metadata import PathDistribution
from pathlib import Path

from packaging.markers import UndefinedComparison, UndefinedEnvironmentName
from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from nodeunit.install.python.environment import Environment

_LARGEST = 4 * 1024 * 1024


def lacking(environment: Environment) -> list[str]:
    """The packages that others in the environment need on this Python and that are not there. Reads the disk.

    What packages write about themselves may be anything: what cannot be read needs nothing.
    """
    packages = environment.packages
    installed = list(packages.glob("*.dist-info")) if packages else []
    names = {canonicalize_name(path.name.removesuffix(".dist-info").partition("-")[0]) for path in installed}
    return sorted({needed for path in installed for needed in _needs(path)} - names)


def _needs(metadata: Path) -> Iterator[str]:
    try:
        if (metadata / "METADATA").stat().st_size > _LARGEST:
            return
        texts = PathDistribution(metadata).requires or []
    except (OSError, ValueError):
        return
    for text in texts:
        try:
            requirement = Requirement(text)
            if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
                yield canonicalize_name(requirement.name)
        except (InvalidRequirement, UndefinedComparison, UndefinedEnvironmentName):
            continue
