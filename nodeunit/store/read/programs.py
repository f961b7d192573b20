"""The states of programs, as the view `program_state` has them now."""

from uuid import UUID

from psycopg.rows import class_row

from nodeunit.domain.row_state import Program
from nodeunit.store.postgres.connections import Connection, translate_errors
from nodeunit.store.postgres.queries import QUERIES


async def states_of(connection: Connection, deployment_id: UUID) -> list[Program]:
    """One for each unit that runs the deployment or should, by name. None for a row that waits for a unit."""
    async with translate_errors(), connection.cursor(row_factory=class_row(Program)) as cursor:
        await cursor.execute(QUERIES["program_states"], {"deployment_id": deployment_id})
        return await cursor.fetchall()
