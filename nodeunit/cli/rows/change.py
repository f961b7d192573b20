"""What the verbs that change rows share: select, change in one transaction, and say each row that was changed."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any
from uuid import UUID

import typer

from nodeunit.cli.rows.selection import selected
from nodeunit.store.postgres.connections import Connection
from nodeunit.store.postgres.requirements import connect_to_schema
from nodeunit.store.read.deployments import Called
from nodeunit.store.write import deployments
from nodeunit.store.write.deployments import Row

Change = Callable[[Connection, list[UUID]], Awaitable[list[Row]]]


def change(
    conninfo: str, names: list[str] | None, labels: list[str] | None, everything: bool, by: Change, done: str
) -> None:
    """Applies a change to the rows that are selected, and says which. Raises what selecting and changing raise."""

    async def run() -> list[Row]:
        async with await connect_to_schema(conninfo, "operator", writes=True) as connection:
            found = await selected(connection, names, labels, everything)
            return await by(connection, [one.id for one in found])

    say(asyncio.run(run()), done)


def setting(columns: dict[str, Any]) -> Change:
    """The change that gives each row these columns."""

    async def update(connection: Connection, ids: list[UUID]) -> list[Row]:
        return await deployments.update(connection, dict.fromkeys(ids, columns))

    return update


def say(rows: Sequence[Row], done: str) -> None:
    """One line for each row, as other verbs take it; nothing was selected is said on standard error."""
    for row in rows:
        typer.echo(f"deployment/{row['name'] or row['id']} {done}")
    if not rows:
        typer.echo("no deployments found", err=True)


def called(rows: Sequence[Called], *, most: int = 10) -> str:
    """Rows by name, for a question; of many the first ones."""
    more = f" and {len(rows) - most} more" if len(rows) > most else ""
    return ", ".join(row.label for row in rows[:most]) + more
