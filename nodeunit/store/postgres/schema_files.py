"""The SQL files of the schema, in the order in which they are applied: from the wheel, or from the top of the checkout.

`migrations/README.md` says what belongs in which folder, and how a schema changes under a running fleet.
"""

import hashlib
from collections.abc import Iterator
from enum import Enum
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import NamedTuple


class Phase(Enum):
    """When a file is applied."""

    BEFORE = "before"
    """Versioned: applied once, before the functions. Only adds, so that older functions still work."""
    REPEATABLE = "repeatable"
    """Repeatable: applied whenever its text has changed. Functions, views, aggregates, grants."""
    AFTER = "after"
    """Versioned: applied once, when no transaction uses an older function any more. Removes, and makes triggers."""


class Migration(NamedTuple):
    """One SQL file. `name` is its path below the root, such as `migrations/0001_deployment.sql`."""

    name: str
    text: str
    phase: Phase

    @property
    def checksum(self) -> str:
        """SHA-256 of the text, hexadecimal."""
        return hashlib.sha256(self.text.encode()).hexdigest()


FOLDERS = (
    ("migrations", Phase.BEFORE),
    ("migrations/before", Phase.BEFORE),
    ("projections", Phase.REPEATABLE),
    ("migrations/functions", Phase.REPEATABLE),
    ("migrations/functions/predecessors", Phase.REPEATABLE),
    ("migrations/views", Phase.REPEATABLE),
)
LAST_REPEATABLE = ("migrations/compatibility.sql", "migrations/grants.sql")
AFTER = "migrations/after"


def migrations(root: Path | None = None) -> list[Migration]:
    """Every file of this code, or of an older schema kept below `root`, in the order in which they run."""
    found = {m.name: m for folder, phase in FOLDERS for m in _read(root, folder, phase)}
    last = [found.pop(name)._replace(phase=Phase.REPEATABLE) for name in LAST_REPEATABLE if name in found]
    return [*found.values(), *last, *_read(root, AFTER, Phase.AFTER)]


def _read(root: Path | None, folder: str, phase: Phase) -> Iterator[Migration]:
    place = _folder(folder) if root is None else root / folder
    if place.is_dir():
        for file in sorted((f for f in place.iterdir() if f.name.endswith(".sql")), key=lambda f: f.name):
            yield Migration(f"{folder}/{file.name}", file.read_text("utf-8"), phase)


def _folder(name: str) -> Traversable:
    """The folder inside the wheel, or at the top of the checkout."""
    packaged = files("nodeunit").joinpath(name)
    return packaged if packaged.is_dir() else Path(__file__).parents[3] / name
