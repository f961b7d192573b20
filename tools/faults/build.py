"""A build: a copy of the package to run units from, so that edits do not change a running fleet.

It is a virtual environment of one line: first the copy, then the libraries of this interpreter. Supervisor, daemon and
every command of it find the copy however they are started, which neither PYTHONPATH nor an editable install would give.
"""

import shutil
import site
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

CHECKOUT = Path(__file__).parents[2]
PARTS = ("nodeunit", "migrations", "projections")

Patch = Callable[[str], str]


@dataclass(frozen=True)
class Build:
    """Runs with `python -m nodeunit`; `source` holds the copy."""

    python: Path
    source: Path

    def migrate(self, conninfo: str) -> None:
        """Brings a database to this build's schema."""
        command = [str(self.python), "-P", "-m", "nodeunit", "migrate", "-d", conninfo]
        subprocess.run(command, check=True, capture_output=True, env={})


def make_build(directory: Path, patches: Mapping[str, Patch] | None = None, *, checkout: Path = CHECKOUT) -> Build:
    """Copies the package below `directory`. A patch changes the text of one file of the copy, given by its path in the
    checkout; one that changes nothing is an error, because then the breakage is missing.
    """
    source = directory / "source"
    for part in PARTS:
        shutil.copytree(checkout / part, source / part, ignore=shutil.ignore_patterns("__pycache__"))
    for path, patch in (patches or {}).items():
        before = (source / path).read_text()
        after = patch(before)
        if after == before:
            raise ValueError(f"the patch of {path} changes nothing")
        (source / path).write_text(after)
    environment = directory / "environment"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(environment)], check=True)
    (packages,) = environment.glob("lib/python*/site-packages")
    (packages / "build.pth").write_text("\n".join([str(source), *site.getsitepackages()]) + "\n")
    return Build(environment / "bin" / "python", source)
