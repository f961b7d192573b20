"""Finding events in the log: what was, in memory that does not grow; then what comes, without gap or repetition.

History and sequel meet at a horizon: the oldest transaction still under way. All below it has ended and is history;
what is at or above it is read later, when the horizon has moved on. So nothing is passed over because it was committed
late, and nothing comes twice. The price is that of every such reader: a write transaction left open holds it back.
"""

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager
from datetime import datetime
from typing import NamedTuple, cast
from uuid import UUID

import msgspec
from psycopg import AsyncConnection, capabilities
from psycopg.rows import DictRow, args_row

from nodeunit.errors import DeploymentUnknown
from nodeunit.store.postgres.connections import connect, translate_errors
from nodeunit.store.postgres.queries import QUERIES
from nodeunit.store.read.log_reader import Checkpoint, RecordedEvent

BATCH = 1000

Connection = AsyncConnection[DictRow]

SHORT_ANSWERS = "-c jit=off -c max_parallel_workers_per_gather=0 -c work_mem=64MB"
"""Many chunks make a plan look dear: to compile it, or to start workers, would take longer than to run it."""


async def open_log(conninfo: str, purpose: str) -> Connection:
    """A connection to look back with. Raises what `connect` raises."""
    return await connect(conninfo, purpose, options=SHORT_ANSWERS)


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

    def has(self, event: RecordedEvent) -> bool:
        """The same question, for an event that is not in a database."""
        return (
            (self.since is None or event.recorded_at >= self.since)
            and (self.until is None or event.recorded_at <= self.until)
            and (self.position is None or event.position <= self.position)
            and (self.types is None or event.type in self.types)
            and (self.without is None or event.type not in self.without)
            and (self.deployment_id is None or event.deployment_id == self.deployment_id)
            and (self.unit_address is None or event.unit_address == self.unit_address)
        )


async def horizon(connection: Connection) -> int:
    """The transaction up to which the log can be read now: everything below has ended."""
    async with translate_errors():
        row = await (await connection.execute(QUERIES["search_horizon"])).fetchone()
    assert row is not None
    return int(row["horizon"])


class Seen(NamedTuple):
    """What a snapshot of the database showed: who reads on from there skips it."""

    below: int
    """Every transaction below had ended."""
    beyond: int
    """No transaction from here on had begun."""
    under_way: frozenset[int]
    """Those in between that had not ended."""

    def has(self, event: RecordedEvent) -> bool:
        """Whether the event was to be seen."""
        writer = event.transaction_id
        return writer < self.below or (writer < self.beyond and writer not in self.under_way)


@asynccontextmanager
async def one_snapshot(connection: Connection) -> AsyncIterator[Seen]:
    """Everything that is read inside is read at one moment; the value is what tells later events from what was seen."""
    async with translate_errors(), connection.transaction():
        await connection.execute(QUERIES["one_snapshot"])
        row = await (await connection.execute(QUERIES["search_snapshot"])).fetchone()
        assert row is not None
        below, beyond, under_way = str(row["snapshot"]).split(":")
        yield Seen(int(below), int(beyond), frozenset(map(int, filter(None, under_way.split(",")))))


async def history(connection: Connection, wanted: Wanted, below: int) -> AsyncGenerator[RecordedEvent, None]:
    """What was committed below a horizon, in commit order, from one snapshot, as fast as it is taken."""
    parameters = msgspec.structs.asdict(wanted) | {"horizon": str(below)}
    async with one_snapshot(connection), connection.cursor(row_factory=args_row(RecordedEvent)) as cursor:
        # The server goes on reading while what it has sent is being looked at.
        size = BATCH if capabilities.has_stream_chunked() else 1
        stream = cursor.stream(QUERIES["search_history"], parameters, size=size)
        async with aclosing(cast("AsyncGenerator[RecordedEvent, None]", stream)) as events:
            async for event in events:
                yield event


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
    async with translate_errors(), connection.cursor(row_factory=args_row(RecordedEvent)) as cursor:
        await cursor.execute(QUERIES["search_next"], parameters)
        return await cursor.fetchall()


async def find_deployment(connection: Connection, given: str) -> UUID:
    """The deployment whose id begins like this, be it deleted by now. Raises DeploymentUnknown for none or several."""
    digits = given.strip().lower().replace("-", "")
    if not digits or len(digits) > 32 or digits.strip("0123456789abcdef"):
        raise DeploymentUnknown(
            f"{given!r} is no beginning of a deployment id, which is hexadecimal digits and hyphens"
        )
    bounds = {"lowest": UUID(digits.ljust(32, "0")), "highest": UUID(digits.ljust(32, "f"))}
    async with translate_errors():
        rows = await (await connection.execute(QUERIES["deployments_like"], bounds)).fetchall()
    found = [row["deployment_id"] for row in rows]
    if not found:
        raise DeploymentUnknown(f"no deployment has an id that begins with {given}; see: nodeunit replay")
    if len(found) > 1:
        more = " and more" if len(found) > 10 else ""
        raise DeploymentUnknown(
            f"{given} begins several ids: {', '.join(map(str, found[:10]))}{more}; give more of one"
        )
    return UUID(str(found[0]))


async def unit_names(connection: Connection) -> dict[str, str]:
    """The name under which each unit that ever joined did so last, by address."""
    async with translate_errors():
        rows = await (await connection.execute(QUERIES["unit_names"])).fetchall()
    return {row["address"]: row["name"] for row in rows}
