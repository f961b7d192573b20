"""The SQL of this package: every statement under its name, read once from the `.sql` files beside the modules.

A file is a sequence of `-- name: some_name` lines, each followed by one statement. What several statements share is a
fragment, `-- fragment: some_name`; it replaces `{some_name}` in statements and later fragments.
"""

import re
from importlib.resources import files
from typing import LiteralString

_PART = re.compile(r"^-- (name|fragment): (\w+)$", re.MULTILINE)
_COMMENT = re.compile(r"^--.*\n", re.MULTILINE)


def _read() -> dict[str, LiteralString]:
    found: dict[str, str] = {}
    fragments: dict[str, str] = {}
    folders = (files("nodeunit.store").joinpath(room) for room in ("postgres", "read", "write"))
    for file in (f for folder in folders for f in folder.iterdir() if f.name.endswith(".sql")):
        _, *rest = _PART.split(file.read_text("utf-8"))
        for kind, name, text in zip(rest[::3], rest[1::3], rest[2::3], strict=True):
            if name in found or name in fragments:
                raise RuntimeError(f"two statements are named {name}; the second is in {file.name}")
            if kind == "fragment":
                fragments[name] = _with(fragments, _COMMENT.sub("", text).strip())
            else:
                found[name] = text.strip()
    # These texts are effectively literals: they are part of the package, and values are only passed as parameters.
    return {name: _with(fragments, text) for name, text in found.items()}


def _with(fragments: dict[str, str], text: str) -> LiteralString:
    for name, fragment in fragments.items():
        text = text.replace(f"{{{name}}}", fragment)
    return text


QUERIES = _read()
