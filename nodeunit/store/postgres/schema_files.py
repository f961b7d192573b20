"""The SQL files of the schema: from the wheel, or from the top of the checkout."""

import hashlib
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import NamedTuple


class Migration(NamedTuple):
    """One SQL file. `name` is its path below the folder, such as `migrations/0001_deployment.sql`."""

    name: str
    text: str
    repeatable: bool

    @property
    def checksum(self) -> str:
        """SHA-256 of the text, hexadecimal."""
        return hashlib.sha256(self.text.encode()).hexdigest()


def migrations() -> list[Migration]:
    """Every file of this code, in the order in which they run."""
    versioned = _read("migrations", repeatable=False)
    functions = _read("migrations/functions", repeatable=True)
    views = _read("migrations/views", repeatable=True)
    (grants,) = [m for m in versioned if m.name == "migrations/grants.sql"]
    versioned.remove(grants)
    return [*versioned, *_read("projections", repeatable=True), *functions, *views, grants._replace(repeatable=True)]


def _read(folder: str, *, repeatable: bool) -> list[Migration]:
    found = sorted((f for f in _folder(folder).iterdir() if f.name.endswith(".sql")), key=lambda f: f.name)
    return [Migration(f"{folder}/{f.name}", f.read_text("utf-8"), repeatable) for f in found]


def _folder(name: str) -> Traversable:
    """The folder inside the wheel, or at the top of the checkout."""
    packaged = files("nodeunit").joinpath(name)
    return packaged if packaged.is_dir() else Path(__file__).parents[3] / name
