"""`nodeunit create`: new rows, from options or from a file."""

import asyncio
from pathlib import Path
from typing import Annotated, Any

import typer

from nodeunit.cli.options import Database, given
from nodeunit.cli.rows.change import say
from nodeunit.cli.rows.row_files import read_rows
from nodeunit.cli.rows.selection import assignments, variables
from nodeunit.domain.specification import Specification, columns, parse
from nodeunit.store.postgres.requirements import connect_to_schema
from nodeunit.store.write import deployments
from nodeunit.store.write.deployments import Row


def create(
    words: Annotated[
        list[str] | None,
        typer.Argument(metavar="[COLUMN=VALUE]...", help="Any column of the table deployment.", show_default=False),
    ] = None,
    database: Database = "",
    file: Annotated[
        Path | None,
        typer.Option("--file", "-f", metavar="FILE", help="Rows as YAML, JSON or TOML; - is standard input."),
    ] = None,
    name: Annotated[str, typer.Option("--name", metavar="NAME", help="What the row is called; unique.")] = "",
    package: Annotated[
        str, typer.Option("--package", metavar="NAME[@VERSION]", help="What is installed and run.")
    ] = "",
    command: Annotated[str, typer.Option("--command", metavar="TEXT", help="What is run instead.")] = "",
    args: Annotated[
        list[str] | None, typer.Option("--arg", metavar="TEXT", help="An argument; may be given several times.")
    ] = None,
    env: Annotated[
        list[str] | None, typer.Option("--env", metavar="NAME=VALUE", help="A variable; may be given several times.")
    ] = None,
) -> None:
    """Create rows; a unit claims each within milliseconds. All rows of a file are created, or none.

    [bold]Example[/bold]: nodeunit create --name clock --command 'python3 -m http.server' --arg 0

    [bold]Example[/bold]: nodeunit create -f rows.yaml
    """
    options = _options(words, name, package, command, args, env)
    if (file is None) == (not options):
        raise typer.BadParameter("give columns, or a file with -f", param_hint="--file")
    rows = read_rows(file) if file else [parse(options, "the options")]
    say(asyncio.run(_create(given(database), rows)), "created")


def _options(
    words: list[str] | None, name: str, package: str, command: str, args: list[str] | None, env: list[str] | None
) -> dict[str, Any]:
    at = package.rfind("@")
    split = (
        {"package_name": package[:at], "package_version": package[at + 1 :]} if at > 0 else {"package_name": package}
    )
    found = {"name": name, **split, "command": command, "args": args or [], "env": variables(env or [], "--env")}
    return {key: value for key, value in found.items() if value} | assignments(words or [], "COLUMN=VALUE")


async def _create(conninfo: str, rows: list[Specification]) -> list[Row]:
    async with await connect_to_schema(conninfo, "operator", writes=True) as connection:
        return await deployments.create(connection, [columns(row) for row in rows])
