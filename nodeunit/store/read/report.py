"""The facts of a report, read from the log in one snapshot; `audit` combines and renders them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any, NamedTuple, TypeVar
from uuid import UUID

import msgspec
from psycopg import AsyncConnection, IsolationLevel
from psycopg.rows import DictRow

from nodeunit.store.postgres.connections import translate_errors
from nodeunit.store.postgres.queries import QUERIES
from nodeunit.store.postgres.requirements import connect_to_schema

WORKING_MEMORY = {"work_mem": "64MB"}
"""The invariants sort and hash the whole log; with the default of 4 MB each of them would use the disk."""


class Bounds(NamedTuple):
    """The part of the log that is shown: from `since` on, before `until`. The invariants always read all of it."""

    since: datetime | None = None
    until: datetime | None = None


class Server(msgspec.Struct, frozen=True):
    """The database."""

    postgresql: str
    timescaledb: str | None
    """The version of the extension; None if the tables are ordinary."""
    knows_commits: bool
    """Whether the server keeps the times of commits (`track_commit_timestamp`)."""
    read_at: datetime


class UnitRow(msgspec.Struct, frozen=True):
    """A unit as it last joined."""

    address: str
    name: str
    host: str
    policy: str
    cpu_weight: float
    memory_weight: float
    trusted: str
    custom_command: bool
    software: str


class InsertRow(msgspec.Struct, frozen=True):
    """Rows of one specification, created in one transaction."""

    recorded_at: datetime
    deployments: int
    package_name: str
    package_version: str
    command: str
    args: str
    """The JSON array."""
    type: str
    enabled: bool
    on_disconnect: str
    by: str
    inserts: int
    """The number of such lines, including those beyond the limit."""


class WaitingRow(msgspec.Struct, frozen=True):
    """Rows of one package that wait now for a unit that takes them, and that need the same of it."""

    package: str
    """`name@version`."""
    has_command: bool
    runtime: str
    secrets: list[str]
    deployments: int
    example: UUID


class AbilityRow(msgspec.Struct, frozen=True):
    """What some unit in the fleet can run now."""

    trusted: str
    custom_command: bool
    runtimes: list[str]
    secrets: list[str]


class RoundRow(msgspec.Struct, frozen=True):
    """A round that ended with a claim."""

    number: int
    recorded_at: datetime
    claimant: str
    deployment_id: UUID
    attempt: str | None
    """The JSON of the attempt in the claim's transaction."""
    round: str | None
    """The JSON of the round's inputs."""


class SampleRow(msgspec.Struct, frozen=True):
    """The first event of its kind."""

    type: str
    reason: str | None
    recorded_at: datetime
    stream_id: str
    stream_version: int
    data: str
    events: int
    """The number of events of this kind."""


class TimingRow(msgspec.Struct, frozen=True):
    """The times from the commit of the insert to the commits of the first claims of its rows."""

    inserted_at: datetime | None
    """None if there was no insert."""
    deployments: int
    claimed: int
    first_ms: float | None
    median_ms: float | None
    last_ms: float | None
    by_commit: bool
    """Whether these are commit times; otherwise they are the times at which the events were recorded."""
    total: bool
    """Whether this line is about all inserts."""
    inserts: int


class Violations(msgspec.Struct, frozen=True):
    """What one invariant's query found."""

    violations: int
    examples: list[str] | None


Row = TypeVar("Row", Server, UnitRow, InsertRow, WaitingRow, AbilityRow, RoundRow, SampleRow, TimingRow, Violations)


class Snapshot:
    """The log in one snapshot. Every query sees the same events."""

    def __init__(self, connection: AsyncConnection[DictRow], bounds: Bounds) -> None:
        self._connection = connection
        self._bounds = {"since": bounds.since, "until": bounds.until}

    async def server(self) -> Server:
        (server,) = await self._rows(Server, "report_server")
        return server

    async def units(self) -> list[UnitRow]:
        return await self._rows(UnitRow, "report_units", **self._bounds)

    async def inserts(self, limit: int) -> list[InsertRow]:
        return await self._rows(InsertRow, "report_input", limit=limit, **self._bounds)

    async def split_after_first_claim(self) -> dict[str, int] | None:
        """The number of rows of each address after the first claim ('' is no unit); None if nothing was claimed."""
        cursor = await self._connection.execute(QUERIES["report_first_claim"], self._bounds)
        row = await cursor.fetchone()
        if row is None or row["position"] is None:
            return None
        return await self._split(row["position"])

    async def split_at_end(self) -> dict[str, int]:
        return await self._split(None)

    async def waiting(self) -> list[WaitingRow]:
        """What waits now for a unit, the most of one kind first."""
        return await self._rows(WaitingRow, "report_waiting")

    async def abilities(self) -> list[AbilityRow]:
        """What the units can run that are in the fleet now, and claim."""
        return await self._rows(AbilityRow, "report_abilities")

    async def rounds(self, limit: int) -> list[RoundRow]:
        """The newest rounds with a claim, oldest first."""
        return await self._rows(RoundRow, "report_rounds", limit=limit, **self._bounds)

    async def samples(self) -> list[SampleRow]:
        return await self._rows(SampleRow, "report_samples", **self._bounds)

    async def timings(self, limit: int) -> list[TimingRow]:
        """The total first, then the newest inserts."""
        return await self._rows(TimingRow, "report_timings", limit=limit, **self._bounds)

    async def violations(self, invariant: str) -> Violations:
        (found,) = await self._rows(Violations, f"invariant_{invariant}")
        return found

    async def _split(self, position: int | None) -> dict[str, int]:
        cursor = await self._connection.execute(
            QUERIES["report_split"], {"position": position, "until": self._bounds["until"]}
        )
        return {row["address"]: row["deployments"] for row in await cursor.fetchall()}

    async def _rows(self, row: type[Row], query: str, **parameters: Any) -> list[Row]:
        # Without parameters psycopg does not interpret the % of format() and like.
        cursor = await self._connection.execute(QUERIES[query], parameters or None)
        return [row(**found) for found in await cursor.fetchall()]


def invariant_text(name: str) -> str:
    """The statement that counts an invariant's violations."""
    return QUERIES[f"invariant_{name}"]


@asynccontextmanager
async def snapshot(conninfo: str, bounds: Bounds = Bounds()) -> AsyncIterator[Snapshot]:  # noqa: B008
    """Opens the log for reading only, in one snapshot. Raises what `connect` raises."""
    async with (
        await connect_to_schema(conninfo, "report", WORKING_MEMORY) as connection,
        translate_errors(conninfo),
    ):
        await connection.set_isolation_level(IsolationLevel.REPEATABLE_READ)
        await connection.set_read_only(True)
        async with connection.transaction():
            yield Snapshot(connection, bounds)
