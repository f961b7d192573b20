"""What the database says, over a connection of its own that no fault of the network touches."""

import asyncio
from datetime import datetime
from typing import Any, LiteralString, NamedTuple, cast
from uuid import UUID

import psycopg
from psycopg import AsyncConnection, IsolationLevel
from psycopg.rows import DictRow, dict_row

from nodeunit.audit import invariants
from nodeunit.store.postgres.connections import connect
from nodeunit.store.postgres.queries import QUERIES
from nodeunit.store.read.report import Bounds, Snapshot


class Row(NamedTuple):
    """A deployment in its present state."""

    id: UUID
    holder: str
    claim_version: int
    on_disconnect: str


class Lost(NamedTuple):
    """A unit was declared lost."""

    address: str
    at: float
    """Seconds since 1970, by the database's clock, which is this machine's."""


class Observer:
    """Connects again whenever it has to; a database that is away raises psycopg.OperationalError."""

    def __init__(self, conninfo: str) -> None:
        self.conninfo = conninfo
        self._connection: AsyncConnection[DictRow] | None = None
        self._one_at_a_time = asyncio.Lock()

    async def ask(self, statement: LiteralString, *parameters: object) -> list[dict[str, Any]]:
        """The answer to one statement, committed."""
        async with self._one_at_a_time:
            if self._connection is None or self._connection.closed:
                self._connection = await AsyncConnection.connect(
                    self.conninfo, autocommit=True, row_factory=dict_row, application_name="fault kit"
                )
            cursor = await self._connection.execute(statement, parameters or None)
            return await cursor.fetchall() if cursor.description else []

    async def close(self) -> None:
        if self._connection is not None:
            await self._connection.close()

    async def turn_to(self, conninfo: str) -> None:
        """Look at another server from now on."""
        async with self._one_at_a_time:
            await self.close()
            self.conninfo = conninfo

    async def write_out(self) -> None:
        """Commits, so that everything committed before is written too, and a crash of the server cannot forget it."""
        await self.ask("select pg_logical_emit_message(true, 'fault kit', '')")

    async def renewed_at(self, address: str) -> datetime:
        """When the lease of a unit was last renewed."""
        (row,) = await self.ask("select renewed_at from lease where address = %s", address)
        return cast(datetime, row["renewed_at"])

    async def active(self) -> set[str]:
        """The addresses of the units that take part in rounds."""
        found = await self.ask(
            "select u.address from unit u join lease l on l.address = u.address and l.epoch = u.epoch "
            "where u.membership = 'present' and not u.cordoned and l.inactive_at > clock_timestamp()"
        )
        return {row["address"] for row in found}

    async def rows(self) -> list[Row]:
        """Every enabled deployment."""
        found = await self.ask(
            "select id, address, address_version, on_disconnect from deployment where enabled order by id"
        )
        return [Row(row["id"], row["address"], row["address_version"], row["on_disconnect"]) for row in found]

    async def position(self) -> int:
        """The newest position of the log."""
        (row,) = await self.ask("select coalesce(max(position), 0) as position from event")
        return int(row["position"])

    async def event_ids(self, after: int) -> list[UUID]:
        """What has been committed after a position: none of it may ever be missing again."""
        return [row["event_id"] for row in await self.ask("select event_id from event where position > %s", after)]

    async def missing(self, event_ids: list[UUID]) -> int:
        """How many of these are not in the log any more."""
        (row,) = await self.ask("select count(*) as found from event where event_id = any (%s)", event_ids)
        return len(event_ids) - int(row["found"])

    async def lost(self, after: int) -> list[Lost]:
        """Units that were declared lost, after a position."""
        found = await self.ask(
            "select unit_address, extract(epoch from recorded_at)::float8 as at from event "
            "where type = 'UnitLost' and position > %s order by position",
            after,
        )
        return [Lost(row["unit_address"], row["at"]) for row in found]

    async def first_round(self, address: str, after: int) -> float | None:
        """When a unit first decided something after a position, in seconds since 1970."""
        (row,) = await self.ask(
            "select extract(epoch from min(recorded_at))::float8 as at from event "
            "where type = 'DeploymentClaimRound' and unit_address = %s and position > %s",
            address, after,
        )  # fmt: skip
        return None if row["at"] is None else float(row["at"])

    async def first_claim(self, since: float) -> float | None:
        """When a row was first claimed after a time; both in seconds since 1970."""
        (row,) = await self.ask(
            "select extract(epoch from min(recorded_at))::float8 as at from event "
            "where type = 'DeploymentClaimed' and recorded_at >= to_timestamp(%s)",
            since,
        )
        return None if row["at"] is None else float(row["at"])

    async def released_to_claimed(self, after: int, reason: str) -> list[float]:
        """Seconds from each release for this reason to the next claim of the same row."""
        found = await self.ask(
            "select extract(epoch from c.recorded_at - r.recorded_at)::float8 as seconds from event r "
            "join event c on c.stream_id = r.stream_id and c.stream_version = r.stream_version + 1 "
            "where r.type = 'DeploymentReleased' and c.type = 'DeploymentClaimed' and r.position > %s "
            "and r.data ->> 'reason' = %s",
            after, reason,
        )  # fmt: skip
        return [float(row["seconds"]) for row in found]

    async def created_to_claimed(self, ids: list[UUID]) -> list[float]:
        """Seconds from each row's insert to its first claim; rows without one are not in it."""
        found = await self.ask(
            "select extract(epoch from min(c.recorded_at) - min(d.recorded_at))::float8 as seconds from event d "
            "join event c on c.deployment_id = d.deployment_id and c.type = 'DeploymentClaimed' "
            "where d.type = 'DeploymentCreated' and d.deployment_id = any (%s) group by d.deployment_id",
            ids,
        )
        return [float(row["seconds"]) for row in found]

    async def most_starts(self, after: int) -> int:
        """How often the program that was started most often after a position was started."""
        found = await self.ask(
            "select count(*) as starts from event where type = 'ProcessStarted' and position > %s "
            "group by deployment_id order by starts desc limit 1",
            after,
        )
        return int(found[0]["starts"]) if found else 0

    async def nowhere(self) -> list[str]:
        """Rows that are held too long by a unit that neither runs them nor says why not."""
        found = await self.ask(QUERIES["invariant_held_rows_run_or_say_why"])
        return list(found[0]["examples"] or [])

    async def violations(self) -> list[str]:
        """The broken rules of the whole log, each with an example."""
        # Not by `snapshot`, which refuses the schema of a build that was broken on purpose.
        async with await connect(self.conninfo, "fault observer") as connection:
            await connection.set_isolation_level(IsolationLevel.REPEATABLE_READ)
            async with connection.transaction():
                checked = await invariants.check(Snapshot(connection, Bounds()))
        return [f"{rule.name}: {rule.violations}, {'; '.join(rule.examples)}" for rule in checked if rule.violations]


OUTAGE = psycopg.OperationalError
