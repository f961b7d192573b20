"""`nodeunit delete`: remove rows; their programs stop."""

import asyncio
from typing import Annotated

import typer

from nodeunit.cli.options import Database, given
from nodeunit.cli.rows.change import called, say
from nodeunit.cli.rows.confirmation import confirm, count
from nodeunit.cli.rows.selection import All, Labels, Names, selected
from nodeunit.store.postgres.requirements import connect_to_schema
from nodeunit.store.read.deployments import Called
from nodeunit.store.write import deployments
from nodeunit.store.write.deployments import Row

Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]


def delete(
    names: Names = None, database: Database = "", labels: Labels = None, everything: All = False, yes: Yes = False
) -> None:
    """Delete rows; their programs stop. Asks first, and says how many; off a terminal it needs --yes.

    [bold]Example[/bold]: nodeunit delete clock --yes
    """
    conninfo = given(database)
    found = asyncio.run(_find(conninfo, names, labels, everything))
    if found:
        confirm(f"Delete {count(len(found))} ({called(found)})?", yes=yes)
    say(asyncio.run(_delete(conninfo, found)), "deleted")


async def _find(conninfo: str, names: list[str] | None, labels: list[str] | None, everything: bool) -> list[Called]:
    async with await connect_to_schema(conninfo, "operator", writes=True) as connection:
        return await selected(connection, names, labels, everything)


async def _delete(conninfo: str, rows: list[Called]) -> list[Row]:
    if not rows:
        return []
    # A connection of its own, because a person may have taken long to answer.
    async with await connect_to_schema(conninfo, "operator", writes=True) as connection:
        return await deployments.delete(connection, [row.id for row in rows])
