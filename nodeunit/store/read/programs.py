"""The states of programs, as the view `program_state` has them now."""

from datetime import datetime
from uuid import UUID

import msgspec
from psycopg.rows import class_row

from nodeunit.store.postgres.connections import Connection, translate_errors
from nodeunit.store.postgres.queries import QUERIES


class ProgramState(msgspec.Struct, frozen=True):
    """The program of a deployment on one unit."""

    unit: str
    """Its name."""
    unit_address: str
    state: str
    """`installing`, `starting`, `running`, `backoff`, `stopping`, `parked` or `stopped`."""
    reason: str
    """Why it has this state, as one word; empty: nothing is to be said."""
    detail: str
    since: datetime
    pid: int | None
    port: int | None
    ready_since: datetime | None
    resolved_version: str
    """The version of the package that was installed; empty: none was, or it is not recorded."""
    restarts: int
    failures: int
    """Ends in a row that nobody asked for."""
    next_try_at: datetime | None
    ended_at: datetime | None
    """When the last process ended."""
    exit_code: int | None
    exit_signal: int | None
    claim_version: int | None


async def states_of(connection: Connection, deployment_id: UUID) -> list[ProgramState]:
    """One for each unit that runs the deployment or should, by name. None for a row that waits for a unit."""
    async with translate_errors(), connection.cursor(row_factory=class_row(ProgramState)) as cursor:
        await cursor.execute(QUERIES["program_states"], {"deployment_id": deployment_id})
        return await cursor.fetchall()
