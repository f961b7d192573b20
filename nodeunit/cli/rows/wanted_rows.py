"""What a file wants beside what there is: rows to create, to change and to leave, found by their names."""

from pathlib import Path
from typing import Any, NamedTuple
from uuid import UUID

import msgspec

from nodeunit.cli.rows.row_files import read_rows
from nodeunit.domain.specification import columns, differences
from nodeunit.errors import InputFileInvalid
from nodeunit.store.postgres.connections import Connection
from nodeunit.store.read import deployments
from nodeunit.store.read.deployments import Called

SECRET = ("env",)
"""Columns of which only the names of the entries that differ are shown."""


class Changed(NamedTuple):
    """A row that differs from what the file wants."""

    id: UUID
    name: str
    now: dict[str, Any]
    wanted: dict[str, Any]
    """Every column, defaults too."""

    @property
    def columns(self) -> list[str]:
        """Those that differ."""
        return differences(self.now, self.wanted)


class Plan(NamedTuple):
    """What has to be done."""

    create: list[dict[str, Any]]
    change: list[Changed]
    same: list[str]
    """The names of rows that are as wanted."""
    prune: list[Called]
    """Rows with a name that the file does not have."""

    @property
    def nothing(self) -> bool:
        return not (self.create or self.change or self.prune)


async def plan(connection: Connection, path: Path, *, prune: bool) -> Plan:
    """Compares a file with the table. Raises InputFileInvalid for a row without a name, by which it would be found."""
    rows = read_rows(path)
    if any(row.name is None for row in rows):
        raise InputFileInvalid(f"{path}: each row needs a name, by which it is found again")
    wanted = {str(row.name): columns(row) for row in rows}
    there = await deployments.named_rows(connection, list(wanted))
    changed = [Changed(UUID(now["id"]), name, now, wanted[name]) for name, now in there.items()]
    return Plan(
        [row for name, row in wanted.items() if name not in there],
        [one for one in changed if one.columns],
        [one.name for one in changed if not one.columns],
        await deployments.other_named_rows(connection, list(wanted)) if prune else [],
    )


def lines_of(found: Plan) -> list[str]:
    """The differences for people, `-` what is and `+` what is wanted. The values of env are not shown."""
    lines = [f"+ deployment/{row['name']}" for row in found.create]
    for one in found.change:
        lines.append(f"~ deployment/{one.name}")
        for column in one.columns:
            lines += _of_column(column, one.now.get(column), one.wanted[column])
    return lines + [f"- deployment/{row.name}" for row in found.prune]


def _of_column(column: str, now: Any, wanted: Any) -> list[str]:
    if column not in SECRET:
        return [f"    - {column}: {_shown(now)}", f"    + {column}: {_shown(wanted)}"]
    old, new = now or {}, wanted or {}
    signs = {name: "+" if name not in old else "-" if name not in new else "~" for name in sorted({*old, *new})}
    return [f"    {sign} {column}.{name}" for name, sign in signs.items() if old.get(name) != new.get(name)]


def _shown(value: Any) -> str:
    return msgspec.json.encode(value).decode()
