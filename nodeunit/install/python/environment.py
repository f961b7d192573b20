"""The virtual environment of an installed package: where its parts are, and what makes it survive a new name.

An environment is made under a temporary name. Its interpreter is a link to the one of the system and finds the rest by
its own place, so only the scripts and the activation files carry the name: the scripts are made to look for the
interpreter beside them, and the activation files are removed.
"""

import os
import re
from pathlib import Path
from typing import NamedTuple

from nodeunit.install.package import InstallFailed

_FIRST_LINES = re.compile(
    rb"#![^\n]*/python[0-9.]*[ \t]*(?:-[A-Za-z]+[ \t]*)?\r?\n"
    rb"|#!/bin/sh\n'''exec' [^\n]*/python[0-9.]*[\"']? \"\$0\" \"\$@\"\n' '''\n"
)
"""How a script of pip or uv begins: the second form is for a long path or one with a space."""

_BESIDE = b"""#!/bin/sh
'''exec' "$(dirname -- "$(realpath -- "$0")")/python" "$0" "$@"
' '''
"""
"""To a shell two commands, to Python a string."""


class Interpreter(NamedTuple):
    """What decides which interpreter an environment runs: its links and its configuration."""

    links: tuple[tuple[str, str], ...]
    configuration: str


class Environment(NamedTuple):
    """The environment in the directory of an installation."""

    directory: Path

    @property
    def bin(self) -> Path:
        return self.directory / "bin"

    @property
    def python(self) -> Path:
        return self.bin / "python"

    @property
    def packages(self) -> Path | None:
        """`site-packages`; None in an environment that is not one."""
        return next(iter(self.directory.glob("lib/python3*/site-packages")), None)

    def interpreter(self) -> Interpreter:
        """To be compared before and after an installation. Raises OSError if the environment has lost a part."""
        links = [(path.name, os.readlink(path)) for path in sorted(self.bin.glob("python*")) if path.is_symlink()]
        return Interpreter(tuple(links), (self.directory / "pyvenv.cfg").read_text())

    def check_interpreter(self, before: Interpreter) -> None:
        """Raises InstallFailed if a package has put something of its own in place of the interpreter."""
        try:
            if self.interpreter() == before:
                return
        except (OSError, UnicodeDecodeError):
            pass
        raise InstallFailed(
            "bad_manifest", "A file of the package takes the place of the interpreter or of its configuration.", False
        )

    def make_movable(self) -> None:
        """Takes the present name of the directory out of all that would be run."""
        for path in self.bin.iterdir():
            if path.name.lower().startswith("activate"):
                path.unlink()
            elif path.is_file() and not path.is_symlink():
                _look_for_the_interpreter_beside(path)


def _look_for_the_interpreter_beside(script: Path) -> None:
    with script.open("rb") as file:
        found = _FIRST_LINES.match(file.read(4096))
        if found is None:
            return
        file.seek(found.end())
        rest = file.read()
    # Another file, not the same one rewritten: a tool may have linked it to its cache.
    replacement = script.with_name(f"{script.name}.new")
    replacement.write_bytes(_BESIDE + rest)
    replacement.chmod(0o755)
    replacement.replace(script)
