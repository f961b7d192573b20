"""The SQL of this package: every statement under its name, read once from `sql/*.sql`.

A file is a sequence of `-- name: some_name` lines, each followed by one statement.
"""

import re
from importlib.resources import files
from typing import LiteralString, cast

_NAME = re.compile(r"^-- name: (\w+)$", re.MULTILINE)


def _read() -> dict[str, LiteralString]:
    found: dict[str, LiteralString] = {}
    for file in sorted(files(__package__).joinpath("sql").iterdir(), key=lambda f: f.name):
        _, *rest = _NAME.split(file.read_text("utf-8"))
        for name, text in zip(rest[::2], rest[1::2], strict=True):
            if name in found:
                raise RuntimeError(f"two statements are named {name}; the second is in {file.name}")
            # The one cast: these texts are part of the package, and values only ever travel as parameters.
            found[name] = cast(LiteralString, text.strip())
    return found


QUERIES = _read()
