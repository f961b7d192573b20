"""What people do to rows: create, change, restart, delete, undo. The triggers of the table record it as events."""

from collections.abc import Mapping, Sequence
from typing import Any, LiteralString
from uuid import UUID

from psycopg.types.json import Jsonb

from nodeunit.store.postgres.connections import Connection, translate_errors
from nodeunit.store.postgres.queries import QUERIES

Row = Mapping[str, Any]
"""`id`, `name`, `package_name` and `package_version` of a row that was changed."""


async def create(connection: Connection, rows: Sequence[Mapping[str, Any]]) -> list[Row]:
    """Inserts rows, each given with all of its columns. Raises DeploymentRefused; then none of them is inserted."""
    return await _changed(connection, QUERIES["insert_deployments"], {"rows": Jsonb(list(rows))})


async def update(connection: Connection, changes: Mapping[UUID, Mapping[str, Any]]) -> list[Row]:
    """Sets the given columns of each row in one statement; returns those that still exist. Raises DeploymentRefused."""
    given = [{"id": str(id_), "columns": columns} for id_, columns in changes.items()]
    return await _changed(connection, QUERIES["update_deployments"], {"changes": Jsonb(given)})


async def restart(connection: Connection, ids: list[UUID]) -> list[Row]:
    """Asks for a restart of the programs where they are; parked ones are tried again. Returns the rows that exist."""
    return await _changed(connection, QUERIES["restart_deployments"], {"ids": ids})


async def delete(connection: Connection, ids: list[UUID]) -> list[Row]:
    """Deletes rows; their programs stop. Returns those that existed."""
    return await _changed(connection, QUERIES["delete_deployments"], {"ids": ids})


async def undo(connection: Connection, id_: UUID, revision: int) -> int:
    """Gives a row the specification of an earlier revision, and returns the new revision. Raises UndoRefused."""
    async with translate_errors():
        row = await (await connection.execute(QUERIES["undo_deployment"], {"id": id_, "revision": revision})).fetchone()
    assert row is not None
    return int(row["revision"])


async def _changed(connection: Connection, statement: LiteralString, parameters: Mapping[str, Any]) -> list[Row]:
    async with translate_errors():
        return [*await (await connection.execute(statement, parameters)).fetchall()]
