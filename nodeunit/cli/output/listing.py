"""One contract for the verbs that list: the formats, the columns of each kind, and the versioned schema of its items.

    table   for people: the columns that fit 80 characters, short ids
    wide    every column, whole ids
    json    one document, {"schema": "nodeunit.deployments/1", "items": [...]}
    yaml    the same document
    jsonl   one item per line, as it is read
    name    KIND/NAME, one per line, as other verbs take it

A field is never renamed or removed, and its meaning does not change, within one version of a schema; fields are added.
"""

from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable, Sequence
from typing import Generic, NamedTuple

from nodeunit.cli.output.render import Column, Format, Row, document, lines, table, write
from nodeunit.errors import InputFileInvalid

FIRST_ROWS = 500
"""So many rows settle the widths of the columns; they are shown before the others are read."""


class Kind(NamedTuple, Generic[Row]):
    """What is listed."""

    plural: str
    version: int
    """Of the schema of its items."""
    item: type[Row]
    columns: Sequence[Column[Row]]
    name: Callable[[Row], str]
    """How other verbs can be given it."""

    @property
    def schema_name(self) -> str:
        return f"nodeunit.{self.plural}/{self.version}"


async def show_list(
    kind: Kind[Row],
    rows: AsyncIterable[Row],
    output: Format,
    *,
    headers: bool = True,
    sort_by: str = "",
    limit: int | None = None,
) -> int:
    """Shows rows as they come, in constant memory unless they are sorted or one document. Returns how many.

    Raises InputFileInvalid for a field to sort by that the items do not have.
    """
    if sort_by:
        rows = each(sorted_by([row async for row in rows], kind, sort_by))
    count, shown, page = 0, headers, list[Row]()
    widths: list[int] = []
    async for row in rows:
        page.append(row)
        count += 1
        if output in (Format.TABLE, Format.WIDE) and len(page) == FIRST_ROWS:
            widths = _show_page(kind, page, output, shown, widths)
            shown, page = False, []
        elif output is Format.JSONL:
            lines(page)
            page = []
        elif output is Format.NAME:
            write(kind.name(row))
            page = []
        if count == limit:
            break
    if output in (Format.JSON, Format.YAML):
        document({"schema": kind.schema_name, "items": page}, output)
    elif output in (Format.TABLE, Format.WIDE) and (page or (shown and not count)):
        _show_page(kind, page, output, shown and bool(count), widths)
    return count


def _show_page(kind: Kind[Row], page: list[Row], output: Format, headers: bool, widths: list[int]) -> list[int]:
    return table(kind.columns, page, wide=output is Format.WIDE, headers=headers, widths=widths)


def sorted_by(rows: list[Row], kind: Kind[Row], field: str) -> list[Row]:
    """In the order of a field of the items; with `-` before it, descending. Rows without a value come last."""
    name = field.removeprefix("-")
    fields = getattr(kind.item, "__struct_fields__", ())
    if name not in fields:
        raise InputFileInvalid(f"{kind.plural} have no field {name} to sort by; give one of {', '.join(fields)}")
    known = [row for row in rows if getattr(row, name) is not None]
    known.sort(key=lambda row: getattr(row, name), reverse=field.startswith("-"))
    return known + [row for row in rows if getattr(row, name) is None]


async def each(rows: Iterable[Row]) -> AsyncIterator[Row]:
    """Rows that are there already, as `show_list` takes them."""
    for row in rows:
        yield row


def age(seconds: float | None) -> str:
    """A length of time in its largest unit: 5s, 12m, 3h, 4d."""
    if seconds is None:
        return ""
    for unit, length in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds >= length:
            return f"{int(seconds // length)}{unit}"
    return f"{max(0, int(seconds))}s"
