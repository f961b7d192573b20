"""What a row wanted before, from the log, and how far its programs are with what it wants now."""

from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from psycopg.rows import class_row

from nodeunit.store.postgres.connections import Connection, translate_errors
from nodeunit.store.postgres.queries import QUERIES


class PastSpecification(msgspec.Struct, frozen=True):
    """A specification as an event has it: the names of env without their values."""

    revision: int
    recorded_at: datetime
    type: str
    """`DeploymentCreated`, `DeploymentChanged` or `DeploymentSnapshot`."""
    data: dict[str, Any]


class Progress(msgspec.Struct, frozen=True):
    """A program of a row, beside the revision that the row has."""

    unit: str
    """Empty: no unit has the row."""
    state: str
    reason: str
    detail: str
    since: datetime | None
    revision: int
    """That of the row."""
    enabled: bool
    program_revision: int
    """That which was started last; 0: none was, or the unit does not say it."""

    @property
    def done(self) -> bool:
        """Whether the program runs what the row wants, or does not run because it should not."""
        if not self.enabled:
            return self.state == "stopped"
        return self.state == "running" and self.program_revision >= self.revision


async def specifications(connection: Connection, id_: UUID, limit: int) -> list[PastSpecification]:
    """The newest specifications of a row, the last one first."""
    async with translate_errors(), connection.cursor(row_factory=class_row(PastSpecification)) as cursor:
        await cursor.execute(QUERIES["specifications_of"], {"id": id_, "limit": limit})
        return await cursor.fetchall()


async def progress(connection: Connection, id_: UUID) -> list[Progress]:
    """The programs of a row; none if the row does not exist."""
    async with translate_errors(), connection.cursor(row_factory=class_row(Progress)) as cursor:
        await cursor.execute(QUERIES["progress_of"], {"id": id_})
        return await cursor.fetchall()
