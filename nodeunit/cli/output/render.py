"""One way to show rows, for every verb: a table on a terminal, aligned lines in a pipe, or a format for programs."""

import os
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from enum import StrEnum
from typing import Any, Generic, NamedTuple, TypeVar

import msgspec
from rich.console import Console
from rich.table import Table
from rich.text import Text

from nodeunit.plain import plain

Row = TypeVar("Row")

_PLAIN_KEY = re.compile(r"(?!(?i:y|n|yes|no|on|off|true|false|null)$)[A-Za-z_][\w.-]*")
"""A key that YAML always reads as text."""


class Format(StrEnum):
    """The formats; a verb accepts those that make sense for it."""

    TABLE = "table"
    WIDE = "wide"
    JSON = "json"
    JSONL = "jsonl"
    YAML = "yaml"
    NAME = "name"


class Column(NamedTuple, Generic[Row]):
    """A column of a table and how a row fills it."""

    header: str
    cell: Callable[[Row], object]
    right: bool = False
    """Right-aligned, for numbers."""
    wide: bool = False
    """Shown only in wide output."""


def is_terminal() -> bool:
    """Whether standard output is a terminal, or is to be treated as one (FORCE_COLOR)."""
    return sys.stdout.isatty() or bool(os.environ.get("FORCE_COLOR"))


def write(text: str) -> None:
    """Writes a line to standard output at once, so that the reader of a pipe need not wait."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def table(
    columns: Sequence[Column[Row]],
    rows: Iterable[Row],
    *,
    wide: bool = False,
    headers: bool = True,
    widths: Sequence[int] = (),
) -> list[int]:
    """Prints rows for a person: with colours on a terminal, as wide as it is (or COLUMNS); else aligned, not cut.

    Returns the widths of the columns, for rows that follow under the same headers.
    """
    shown = [column for column in columns if wide or not column.wide]
    cells = [[printable(column.cell(row)) for column in shown] for row in rows]
    heads = [column.header.upper() if headers else "" for column in shown]
    found = [max(len(line[at]) for line in (heads, *cells)) for at in range(len(shown))]
    if widths:
        found = [max(pair) for pair in zip(found, widths, strict=True)]
    if is_terminal():
        console = Console()
        rendered = Table(box=None, pad_edge=False, header_style="bold", show_header=headers)
        # Where there is room, only the last column, which has the most words, is folded.
        whole = sum(found[:-1]) + 2 * len(found) + min(found[-1], 20) <= console.width
        for at, (column, width) in enumerate(zip(shown, found, strict=True)):
            rendered.add_column(
                column.header.upper(),
                justify="right" if column.right else "left",
                overflow="fold",
                no_wrap=whole and at < len(shown) - 1,
                min_width=width if widths else None,
            )
        for line in cells:
            rendered.add_row(*map(Text, line))
        console.print(rendered)
        return found
    for line in ([heads] if headers else []) + cells:
        padded = (
            text.rjust(width) if column.right else text.ljust(width)
            for text, width, column in zip(line, found, shown, strict=True)
        )
        sys.stdout.write("  ".join(padded).rstrip() + "\n")
    sys.stdout.flush()
    return found


def document(value: Any, output: Format) -> None:
    """Prints a value for a program, as JSON or YAML."""
    encoded = msgspec.json.encode(value)
    if output is Format.YAML:
        write("\n".join(_yaml(msgspec.json.decode(encoded))))
    else:
        write(msgspec.json.format(encoded, indent=2).decode())


def lines(rows: Iterable[Any]) -> None:
    """Prints one JSON object per line."""
    for row in rows:
        sys.stdout.write(msgspec.json.encode(row).decode() + "\n")
    sys.stdout.flush()


def show(columns: Sequence[Column[Row]], rows: Sequence[Row], output: Format, whole: Any = None) -> None:
    """Prints rows in the requested format. JSON and YAML show `whole` instead of the list of rows, if given."""
    if output in (Format.TABLE, Format.WIDE):
        table(columns, rows, wide=output is Format.WIDE)
    elif output is Format.JSONL:
        lines(rows)
    else:
        document(rows if whole is None else whole, output)


def printable(value: object) -> str:
    """No character in a name or command may break a line or control the terminal."""
    return "" if value is None else plain(str(value))


def _yaml(value: Any, indent: str = "") -> Iterator[str]:
    """Block style; scalars as in JSON, which is YAML too."""
    if isinstance(value, Mapping) and value:
        for key, inner in value.items():
            name = key if _PLAIN_KEY.fullmatch(key) else _scalar(key)
            yield from _yaml_entry(f"{indent}{name}:", inner, indent)
    elif isinstance(value, list) and value:
        for inner in value:
            nested = list(_yaml(inner, indent + "  "))
            yield f"{indent}- {nested[0].lstrip()}"
            yield from nested[1:]
    else:
        yield f"{indent}{_scalar(value)}"


def _yaml_entry(name: str, value: Any, indent: str) -> Iterator[str]:
    if isinstance(value, Mapping | list) and value:
        yield name
        yield from _yaml(value, indent + "  ")
    else:
        yield f"{name} {_scalar(value)}"


def _scalar(value: Any) -> str:
    return msgspec.json.encode(value).decode()
