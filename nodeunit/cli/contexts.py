"""Databases by name, in a file of one's own: flag before environment before context.

The file is `$XDG_CONFIG_HOME/nodeunit/config.toml`, readable by its owner only, because a conninfo may have a password:

    current = "shop"

    [contexts.shop]
    database = "postgresql://operator@db.example/fleet"
"""

import json
import os
from pathlib import Path
from typing import NamedTuple

from nodeunit.errors import InputFileInvalid, SettingInvalid

_chosen: list[str] = [""]
"""What --context says; a list, because it is set once a run and read elsewhere."""


class Contexts(NamedTuple):
    """The file."""

    current: str
    """The one that is used when nothing else says one; empty: none."""
    databases: dict[str, str]
    """The conninfo of each."""


def choose(name: str) -> None:
    """Remembers what --context says; empty: nothing."""
    _chosen[0] = name


def path() -> Path:
    """Where the file is."""
    home = os.environ.get("XDG_CONFIG_HOME", "")
    return (Path(home) if home.startswith("/") else Path.home() / ".config") / "nodeunit" / "config.toml"


def read() -> Contexts:
    """The file, or no context if there is none. Raises InputFileInvalid for one that is something else."""
    import tomllib  # here, because most runs read no file

    try:
        found = tomllib.loads(path().read_text("utf-8"))
        databases = {name: one["database"] for name, one in found.get("contexts", {}).items()}
        contexts = Contexts(found.get("current", ""), databases)
        if not all(isinstance(text, str) for text in (contexts.current, *databases.values())):
            raise ValueError("current and each database are texts")
    except FileNotFoundError:
        return Contexts("", {})
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputFileInvalid(f"{path()} is not a file of contexts: {error}") from None
    return contexts


def write(contexts: Contexts) -> None:
    """Writes the file whole, under another name first. Raises InputFileInvalid."""
    lines = [f"current = {json.dumps(contexts.current)}"] if contexts.current else []
    for name, url in sorted(contexts.databases.items()):
        lines += ["", f"[contexts.{json.dumps(name)}]", f"database = {json.dumps(url)}"]
    file = path()
    new = file.with_name(f"{file.name}.{os.getpid()}")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with open(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as opened:
            opened.write("\n".join(lines) + "\n")
        new.replace(file)
    except OSError as error:
        raise InputFileInvalid(f"{file} cannot be written: {error.strerror}") from None


def database(given: str) -> str:
    """The conninfo that counts: `--database`, then `--context`, `POSTGRES_URI`, `NODEUNIT_CONTEXT`, the current one.

    `given` is what `--database` or `POSTGRES_URI` has. Empty: none of them says one. Raises SettingInvalid.
    """
    from_environment = given == os.environ.get("POSTGRES_URI", "")
    if given and not (_chosen[0] and from_environment):
        return given
    name = _chosen[0] or os.environ.get("NODEUNIT_CONTEXT", "")
    contexts = read()
    name = name or contexts.current
    if not name:
        return ""
    if name not in contexts.databases:
        known = ", ".join(sorted(contexts.databases)) or "none"
        raise SettingInvalid(f"there is no context {name} in {path()}, which has {known}; see: nodeunit config")
    return contexts.databases[name]
