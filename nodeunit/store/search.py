"""Finding events in the log: what was, streamed with memory that does not grow; then what comes, without gap or repetition.

History and sequel meet at a horizon: the oldest transaction still under way. All below it has ended and is history; what
is at or above it is read later, when the horizon has moved on. So nothing is passed over because it was committed late,
and nothing comes twice. The price is that of every such reader: a write transaction left open holds it back.
"""

from collections.abc import AsyncIterator
from datetime import datetime
from uuid import UUID

import msgspec
from psycopg import AsyncConnection, IsolationLevel
from psycopg.rows import DictRow, tuple_row

from nodeunit.errors import DeploymentUnknown
from nodeunit.store.connections import explained
from nodeunit.store.log_reader import Checkpoint, RecordedEvent
from nodeunit.store.queries import QUERIES

BATCH = 1000

Connection = AsyncConnection[DictRow]


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """Which events are asked for; a field that is not set asks for nothing."""

    since: datetime | None = None
    until: datetime | None = None
    """The last moment; only of history, a sequel has no end."""
    position: int | None = None
    """The last position; of history too."""
    types: list[str] | None = None
    without: list[str] | None = None
    """Types that are left out; one that nobody knows yet is not among them."""
    deployment_id: UUID | None = None
    unit_address: str | None = None


async def horizon(connection: Connection) -> int:
    """The transaction up to which the log can be read now: everything below has ended."""
    async with explained():
        row = await (await connection.execute(QUERIES["search_horizon"])).fetchone()
    assert row is not None
    return int(row["horizon"])


async def history(connection: Connection, wanted: Wanted, below: int) -> AsyncIterator[RecordedEvent]:
    """What was committed below a horizon, in commit order, from one snapshot, as fast as it is taken."""
    parameters = msgspec.structs.asdict(wanted) | {"horizon": str(below)}
    await connection.set_isolation_level(IsolationLevel.REPEATABLE_READ)
    await connection.set_read_only(True)
    try:
        async with (
            explained(),
            connection.transaction(),
            connection.cursor(name="history", row_factory=tuple_row) as cursor,
        ):
            cursor.itersize = BATCH
            await cursor.execute(QUERIES["search_history"], parameters)
            async for row in cursor:
                yield RecordedEvent(*row)
    finally:
        await connection.set_isolation_level(None)
        await connection.set_read_only(None)


async def sequel(
    connection: Connection, wanted: Wanted, after: Checkpoint, below: int, limit: int = BATCH
) -> list[RecordedEvent]:
    """The next events after a checkpoint and below a horizon, in commit order; fewer than `limit` when that is all."""
    parameters = msgspec.structs.asdict(wanted) | {
        "after_transaction_id": str(after.transaction_id),
        "after_position": after.position,
        "horizon": str(below),
        "limit": limit,
    }
    async with explained(), connection.cursor(row_factory=tuple_row) as cursor:
        await cursor.execute(QUERIES["search_next"], parameters)
        return [RecordedEvent(*row) for row in await cursor.fetchall()]


async def find_deployment(connection: Connection, given: str) -> UUID:
    """The deployment whose id begins like this, be it deleted by now. Raises DeploymentUnknown for none or several."""
    digits = given.strip().lower().replace("-", "")
    if not digits or len(digits) > 32 or digits.strip("0123456789abcdef"):
        raise DeploymentUnknown(f"{given!r} is no beginning of a deployment id, which is hexadecimal digits and hyphens")
    bounds = {"lowest": UUID(digits.ljust(32, "0")), "highest": UUID(digits.ljust(32, "f"))}
    async with explained():
        rows = await (await connection.execute(QUERIES["deployments_like"], bounds)).fetchall()
    found = [row["deployment_id"] for row in rows]
    if not found:
        raise DeploymentUnknown(f"no deployment has an id that begins with {given}; see: nodeunit replay")
    if len(found) > 1:
        more = " and more" if len(found) > 10 else ""
        raise DeploymentUnknown(f"{given} begins several ids: {', '.join(map(str, found[:10]))}{more}; give more of one")
    return UUID(str(found[0]))


async def unit_names(connection: Connection) -> dict[str, str]:
    """The name under which each unit that ever joined did so last, by address."""
    async with explained():
        rows = await (await connection.execute(QUERIES["unit_names"])).fetchall()
    return {row["address"]: row["name"] for row in rows}
