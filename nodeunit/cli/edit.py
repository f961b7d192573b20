"""`nodeunit edit`: a row in an editor."""

import asyncio
import os
import shlex
import subprocess
import tempfile
from pathlib import Path
from typing import Any
from uuid import UUID

import typer

from nodeunit.cli.options import Database, Deployment, given
from nodeunit.cli.rows.change import say
from nodeunit.cli.rows.row_files import read_rows
from nodeunit.domain.specification import COLUMNS, columns, differences
from nodeunit.errors import InputFileInvalid, SettingInvalid
from nodeunit.store.postgres.requirements import connect_to_schema
from nodeunit.store.read import deployments as read
from nodeunit.store.write import deployments
from nodeunit.store.write.deployments import Row


def edit(deployment: Deployment, database: Database = "") -> None:
    """Open a row in an editor ($VISUAL or $EDITOR), as YAML, and set what was changed. Its env is in it, with values.

    [bold]Example[/bold]: nodeunit edit clock
    """
    conninfo = given(database)
    now = asyncio.run(_read(conninfo, deployment))
    with tempfile.TemporaryDirectory(prefix="nodeunit-") as folder:
        file = Path(folder) / "deployment.yaml"
        file.write_text(_text(now))
        _open(file)
        rows = read_rows(file)
    if len(rows) != 1:
        raise InputFileInvalid("the file has to have one row; nothing was changed")
    wanted = columns(rows[0])
    changed = differences(now, wanted)
    if not changed:
        typer.echo("nothing was changed", err=True)
        return
    say(asyncio.run(_set(conninfo, UUID(now["id"]), {name: wanted[name] for name in changed})), "set")


def _text(now: dict[str, Any]) -> str:
    import yaml

    shown = {name: now[name] for name in COLUMNS}
    return f"# Deployment {now['id']}. Save to set what you change.\n" + yaml.safe_dump(shown, sort_keys=False)


def _open(file: Path) -> None:
    editor = os.environ.get("VISUAL") or os.environ.get("EDITOR") or "vi"
    try:
        ended = subprocess.run([*shlex.split(editor), str(file)], check=False)
    except (OSError, ValueError):
        raise SettingInvalid(f"the editor {editor} cannot be started; set VISUAL or EDITOR") from None
    if ended.returncode != 0:
        raise InputFileInvalid(f"the editor ended with {ended.returncode}; nothing was changed")


async def _read(conninfo: str, deployment: str) -> dict[str, Any]:
    async with await connect_to_schema(conninfo, "operator", writes=True) as connection:
        (row,) = await read.columns_of(connection, [(await read.find_row(connection, deployment)).id])
        return row


async def _set(conninfo: str, id_: UUID, changed: dict[str, Any]) -> list[Row]:
    async with await connect_to_schema(conninfo, "operator", writes=True) as connection:
        return await deployments.update(connection, {id_: changed})
