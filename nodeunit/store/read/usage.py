"""Usage of units and programs over time, by the functions that people also call in SQL."""

from datetime import datetime, timedelta
from uuid import UUID

import msgspec
from psycopg import AsyncConnection
from psycopg.rows import DictRow

from nodeunit.store.postgres.connections import translate_errors
from nodeunit.store.postgres.queries import QUERIES


class UsagePoint(msgspec.Struct, frozen=True):
    """What a unit, or one program on it, used in one time bucket."""

    bucket_start: datetime
    unit: str
    """The name of the unit."""
    unit_address: str
    deployment_id: UUID | None
    """None for the whole unit with all its programs."""
    package: str
    samples: int
    cpu_percent_avg: float
    """The share of the whole machine: 100 is all cores busy."""
    cpu_percent_max: float
    memory_mb_avg: float
    """Resident memory, MiB."""
    memory_mb_max: float


class UsageWindow(msgspec.Struct, frozen=True):
    """Which samples are read, and the length of time over which they are averaged."""

    since: datetime
    until: datetime
    bucket: timedelta


async def of_units(
    connection: AsyncConnection[DictRow], window: UsageWindow, unit_address: str | None = None
) -> list[UsagePoint]:
    """The usage of each unit, or of one, by name and time."""
    return await _read(connection, "usage_of_units", window, unit_address=unit_address)


async def of_deployments(
    connection: AsyncConnection[DictRow], window: UsageWindow, *, unit_address: str | None = None, deployment: str = ""
) -> list[UsagePoint]:
    """The usage of all programs, one unit's, or those of deployments whose id begins so; by unit, id and time."""
    return await _read(
        connection, "usage_of_deployments", window, unit_address=unit_address, deployment=deployment.lower()
    )


async def _read(
    connection: AsyncConnection[DictRow], query: str, window: UsageWindow, **which: str | None
) -> list[UsagePoint]:
    async with translate_errors():
        cursor = await connection.execute(QUERIES[query], msgspec.structs.asdict(window) | which)
        return [UsagePoint(**row) for row in await cursor.fetchall()]
