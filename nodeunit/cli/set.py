"""`nodeunit set`: new values for columns of rows, and for single variables of env."""

import asyncio
from typing import Annotated, Any
from uuid import UUID

import typer

from nodeunit.cli.options import Database, given
from nodeunit.cli.rows.change import say
from nodeunit.cli.rows.selection import All, Labels, assignments, selected, variables
from nodeunit.store.postgres.requirements import connect_to_schema
from nodeunit.store.read import deployments as read
from nodeunit.store.write import deployments
from nodeunit.store.write.deployments import Row


def set_columns(
    words: Annotated[
        list[str],
        typer.Argument(
            metavar="[DEPLOYMENT]... [COLUMN=VALUE]...", help="Rows, then the new values.", show_default=False
        ),
    ],
    database: Database = "",
    labels: Labels = None,
    everything: All = False,
    env: Annotated[
        list[str] | None, typer.Option("--env", metavar="NAME=VALUE", help="One variable; the others stay.")
    ] = None,
    unset_env: Annotated[
        list[str] | None, typer.Option("--unset-env", metavar="NAME", help="Remove a variable.")
    ] = None,
) -> None:
    """Set columns of rows. A change of anything but name and enabled restarts the program; all rows change at once.

    args, env and secrets are JSON; null takes the value away where a column may have none.

    [bold]Example[/bold]: nodeunit set clock package_version=1.2.0

    [bold]Example[/bold]: nodeunit set clock --env LEVEL=debug
    """
    names = [word for word in words if "=" not in word]
    columns = assignments([word for word in words if "=" in word], "COLUMN=VALUE")
    added, removed = variables(env or [], "--env"), unset_env or []
    if not (columns or added or removed):
        raise typer.BadParameter("give at least one COLUMN=VALUE, --env or --unset-env", param_hint="COLUMN=VALUE")
    if "env" in columns and (added or removed):
        raise typer.BadParameter("env is set as a whole already; leave out --env and --unset-env", param_hint="--env")
    say(asyncio.run(_set(given(database), names, labels, everything, columns, added, removed)), "set")


async def _set(
    conninfo: str, names: list[str], labels: list[str] | None, everything: bool,
    columns: dict[str, Any], added: dict[str, str], removed: list[str],
) -> list[Row]:  # fmt: skip
    async with await connect_to_schema(conninfo, "operator", writes=True) as connection, connection.transaction():
        ids = [one.id for one in await selected(connection, names or None, labels, everything)]
        changes = dict.fromkeys(ids, columns)
        if added or removed:
            await read.lock(connection, ids)
            for row in await read.columns_of(connection, ids):
                env = {key: value for key, value in row["env"].items() if key not in removed} | added
                changes[UUID(row["id"])] = columns | {"env": env}
        return await deployments.update(connection, changes)
