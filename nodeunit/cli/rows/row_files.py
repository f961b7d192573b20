"""Files of rows: YAML, JSON or TOML, one or many, or standard input as `-`. PyYAML is loaded where YAML is read."""

import sys
import tomllib
from pathlib import Path
from typing import Any

import msgspec

from nodeunit.domain.specification import Specification, parse
from nodeunit.errors import InputFileInvalid

LARGEST = 16 * 1024 * 1024
"""Bytes; more is no file of rows."""


def read_rows(path: Path) -> list[Specification]:
    """The rows of a file; the ending .json or .toml says what it is, anything else is YAML, of which JSON is a part.

    A file has one row, a list of rows, an object with `deployments` (a list; in TOML `[[deployments]]`), or, in YAML,
    several documents of these. Raises InputFileInvalid, with the number of the row.
    """
    name = "standard input" if str(path) == "-" else str(path)
    rows = _rows(decode(_text(path, name), path.suffix.lower(), name), name)
    if not rows:
        raise InputFileInvalid(f"{name} has no row")
    found = [parse(row, f"{name}, row {number}") for number, row in enumerate(rows, 1)]
    names = [row.name for row in found if row.name is not None]
    if twice := next((one for one in names if names.count(one) > 1), None):
        raise InputFileInvalid(f"{name} has two rows of the name {twice}")
    return found


def decode(text: str, suffix: str, name: str) -> Any:
    """What a text of this kind of file says. Raises InputFileInvalid with the line, where the format has one."""
    try:
        if suffix == ".toml":
            return tomllib.loads(text)
        if suffix == ".json":
            return msgspec.json.decode(text)
        import yaml

        documents = [one for one in yaml.load_all(text, Loader=_loader()) if one is not None]
        return documents[0] if len(documents) == 1 else documents
    except (tomllib.TOMLDecodeError, msgspec.DecodeError, RecursionError) as error:
        raise InputFileInvalid(f"{name}: {str(error) or 'nested too deeply'}") from None
    except ValueError as error:
        raise InputFileInvalid(f"{name}: {error}") from None
    except Exception as error:
        import yaml

        if not isinstance(error, yaml.YAMLError):
            raise
        raise InputFileInvalid(f"{name}: {' '.join(str(error).split())}") from None


def _loader() -> Any:
    """Safe, and without aliases: a few lines of them can stand for more rows than fit any memory."""
    import yaml

    class NoAliases(yaml.SafeLoader):
        def compose_node(self, parent: Any, index: Any) -> Any:
            if self.check_event(yaml.AliasEvent):
                raise yaml.composer.ComposerError(None, None, "aliases are not read", self.peek_event().start_mark)  # type: ignore[no-untyped-call]
            return super().compose_node(parent, index)

    return NoAliases


def _text(path: Path, name: str) -> str:
    try:
        if str(path) == "-":
            data = sys.stdin.buffer.read(LARGEST + 1)
        else:
            with path.open("rb") as file:
                data = file.read(LARGEST + 1)
        if len(data) > LARGEST:
            raise InputFileInvalid(f"{name} has more than {LARGEST // 1024 // 1024} MiB")
        return data.decode()
    except OSError as error:
        raise InputFileInvalid(f"{name} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise InputFileInvalid(f"{name} is not UTF-8") from None


def _rows(value: Any, name: str) -> list[Any]:
    if isinstance(value, dict):
        return _rows(value["deployments"], name) if set(value) == {"deployments"} else [value]
    if isinstance(value, list):
        return [row for one in value for row in (_rows(one, name) if isinstance(one, dict) else [one])]
    raise InputFileInvalid(f"{name} has no rows: it is neither an object nor a list")
