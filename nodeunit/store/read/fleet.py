"""The fleet at one time, read by SQL from the log."""

from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

import msgspec
from psycopg.rows import args_row

from nodeunit.domain.fleet import DeploymentState, UnitState
from nodeunit.errors import HistoryArchived, TimeNotInLog
from nodeunit.store.postgres.connections import Connection, translate_errors
from nodeunit.store.postgres.queries import QUERIES


class AsOf(NamedTuple):
    """The last event that counts. If both are None, all events until now count."""

    at: datetime | None = None
    """The last time; with a position, a bound within which the position is searched."""
    position: int | None = None
    """The last position."""


async def as_of(connection: Connection, at: datetime | None, position: int | None) -> AsOf:
    """As of a time, a position, or now. Raises HistoryArchived if the live log begins later, and TimeNotInLog if the
    time is before the first event of all."""
    if at is not None or position is not None:
        await require_recorded(connection, at, position)
    if position is None:
        return AsOf(at)
    async with translate_errors():
        row = await (await connection.execute(QUERIES["moment_of_position"], {"position": position})).fetchone()
    assert row is not None
    return AsOf(row["at"] if at is None or row["at"] is None else min(at, row["at"]), position)


async def require_recorded(connection: Connection, at: datetime | None, position: int | None = None) -> None:
    """Raises HistoryArchived or TimeNotInLog, as `as_of` does, when the live log says nothing about then."""
    begins: datetime | None = None
    async with translate_errors():
        if position is None:
            row = await (await connection.execute(QUERIES["log_begins"])).fetchone()
            begins = row["at"] if row else None
            if begins is None or at is None or at >= begins:
                return  # snapshots are recorded at the time of the cut
        archived = await (await connection.execute(QUERIES["log_archived"])).fetchone()
    if archived is None:
        if begins is not None:
            raise TimeNotInLog(f"the log begins at {_shown(begins)} and says nothing about before; give a later time")
        return
    if (at is not None and at < archived["before"]) or (position is not None and position <= archived["last_position"]):
        raise HistoryArchived(
            f"the live log begins at {_shown(archived['before'], 'seconds')}; "
            f"for earlier times: nodeunit replay --archive {archived['file']}"
        )


def _shown(moment: datetime, precision: str = "milliseconds") -> str:
    return moment.astimezone().isoformat(" ", precision)


async def deployments(connection: Connection, when: AsOf, deployment_id: UUID | None = None) -> list[DeploymentState]:
    """The deployments that existed, or one of them, by id."""
    parameters = when._asdict() | {"deployment_id": deployment_id}
    async with translate_errors(), connection.cursor(row_factory=args_row(_deployment)) as cursor:
        await cursor.execute(QUERIES["deployments_at"], parameters)
        return await cursor.fetchall()


async def units(connection: Connection, when: AsOf) -> list[UnitState]:
    """Every unit that had joined, by address."""
    async with translate_errors():
        rows = await (await connection.execute(QUERIES["units_at"], when._asdict())).fetchall()
    return msgspec.convert(rows, list[UnitState])


def _deployment(*columns: Any) -> DeploymentState:
    """Takes the columns by position, in the order of the fields, because there may be many rows."""
    return DeploymentState(**dict(zip(_FIELDS, columns, strict=True)))


_FIELDS = DeploymentState.__struct_fields__
