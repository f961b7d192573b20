"""The SQL of this package: every statement under its name, read once from the `.sql` files beside the modules.

A file is a sequence of `-- name: some_name` lines, each followed by one statement.
"""

import re
from importlib.resources import files
from typing import LiteralString, cast

_NAME = re.compile(r"^-- name: (\w+)$", re.MULTILINE)


def _read() -> dict[str, LiteralString]:
    found: dict[str, LiteralString] = {}
    folders = (files("nodeunit.store").joinpath(room) for room in ("postgres", "read", "write"))
    for file in (f for folder in folders for f in folder.iterdir() if f.name.endswith(".sql")):
        _, *rest = _NAME.split(file.read_text("utf-8"))
        for name, text in zip(rest[::2], rest[1::2], strict=True):
            if name in found:
                raise RuntimeError(f"two statements are named {name}; the second is in {file.name}")
            # The one cast: these texts are part of the package, and values only ever travel as parameters.
            found[name] = cast(LiteralString, text.strip())
    return found


QUERIES = _read()
