"""The stream of one unit's decisions: rounds, claims, process events. One writer makes one append at a time.

An append whose answer was lost, or that was cancelled, may have been committed or not. It is never simply repeated. The
row that counts the versions of the stream is read under its lock, which waits for an append still in progress, and then
the event is looked up by its id. If it is missing, it is sent again, expecting the version just read. Only one of the
two can be written, because they expect the same version.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple
from uuid import UUID, uuid4

import msgspec
from psycopg import OperationalError
from psycopg.rows import DictRow

from nodeunit.domain.deployment import Deployment
from nodeunit.domain.event import Event
from nodeunit.domain.event_json import type_name
from nodeunit.domain.policy import Candidate
from nodeunit.errors import StaleEpoch, VersionConflict
from nodeunit.store.postgres.connections import translate_errors
from nodeunit.store.postgres.queries import QUERIES
from nodeunit.store.write.membership import Membership

log = logging.getLogger(__name__)

PAUSE_S = 0.2
"""The pause between two attempts to reach a database that does not answer."""


class Claim(NamedTuple):
    """A row to claim, and the events of the round in which that was decided."""

    candidate: Candidate
    events: tuple[Event, ...]


class DecisionStream:
    """Appends the decisions of one unit in one epoch. Every method raises StaleEpoch once the epoch is over."""

    def __init__(self, unit: Membership) -> None:
        self._unit = unit
        self._version: int | None = 0  # None if it is unknown
        self._one_at_a_time = asyncio.Lock()

    async def append(self, *events: Event, event_ids: Sequence[UUID] = ()) -> None:
        """Appends the events, in order, in one transaction. Repeats after a lost connection. Without `event_ids` they
        get new ones."""
        if not events:
            return
        event_ids = event_ids or [uuid4() for _ in events]
        encoded = msgspec.json.encode(_entries(events, event_ids)).decode()
        await self._write("append_decisions", event_ids[0], lambda _: len(events), events=encoded)

    async def claim(self, *claims: Claim) -> list[Deployment]:
        """Claims rows in one transaction, each with the events of its round. Returns those that this unit holds now; a
        conflict with another unit, which is recorded, costs only its row. After a lost connection it looks up the
        outcome.
        """
        event_ids = [uuid4() for _ in claims]
        encoded = msgspec.json.encode(
            [
                {
                    "deployment_id": claim.candidate.id,
                    "version": claim.candidate.version,
                    "holder": claim.candidate.holder,
                    "event_id": event_id,
                    "events": _entries(claim.events, [uuid4() for _ in claim.events]),
                }
                for claim, event_id in zip(claims, event_ids, strict=True)
            ]
        ).decode()
        wanted = {claim.candidate.id: claim.candidate.version for claim in claims}
        count = sum(len(claim.events) for claim in claims)

        def appended(won: int) -> int:
            return count + len(claims) - won  # an event for each conflict

        rows = await self._write("claim_deployments", event_ids[0], appended, claims=encoded)
        if rows is None:
            held = await self._unit.programs()
            return [row for row in held if row.id in wanted and row.address_version > wanted[row.id]]
        won = {row["id"]: msgspec.convert(row, Deployment) for row in rows}
        return [won[key] for key in wanted if key in won]

    async def recorded(self, event_ids: Sequence[UUID]) -> set[UUID]:
        """Which of these events are in the log, written by this daemon or another. Repeats after a lost connection."""
        row = await self._read("recorded_events", {"event_ids": list(event_ids)})
        if row is None or not row["event_ids"]:
            return set()
        await self._read("confirm_reads", self._stream())
        return set(row["event_ids"])

    async def _write(
        self, query: str, event_id: UUID, appended: Callable[[int], int], **parameters: str
    ) -> list[DictRow] | None:
        """The rows of a statement that appends events, of which `event_id` is one; `appended` says how many, by the
        number of rows. None if the outcome was lost with a connection, and it is in the log. Repeats what is not.
        """
        async with self._one_at_a_time:
            pause_s = 0.0
            while True:
                try:
                    return await self._send(query, appended, parameters)
                except (OperationalError, VersionConflict) as error:
                    if await self._look_up(event_id, error):
                        return None
                await asyncio.sleep(pause_s)
                pause_s = PAUSE_S

    async def _send(self, query: str, appended: Callable[[int], int], parameters: Mapping[str, str]) -> list[DictRow]:
        version = await self._current_version()
        self._version = None
        known = {**parameters, **self._stream(), "stream_version": version}
        async with translate_errors(passing=OperationalError), self._unit.pool.connection() as connection:
            rows = await (await connection.execute(QUERIES[query], known)).fetchall()
        self._version = version + appended(len(rows))
        return rows

    async def _look_up(self, event_id: UUID, error: Exception) -> DictRow | None:
        """The event of an append whose outcome is unknown; None if it was not written."""
        log.warning("the outcome of an append is unknown (%s): looking it up", str(error).strip())
        await self._current_version()
        return await self._read("event_by_id", {"event_id": event_id})

    async def _current_version(self) -> int:
        """The version of the stream, read from the database if it is unknown."""
        if self._version is None:
            row = await self._read("stream_version_now", self._stream())
            if row is None or row["stream_version"] is None:
                raise StaleEpoch(f"epoch {self._unit.epoch} of unit {self._unit.address} is over")
            self._version = int(row["stream_version"])
        return self._version

    async def _read(self, query: str, parameters: dict[str, object]) -> DictRow | None:
        """The row of a query, repeated until the database answers."""
        while True:
            try:
                async with translate_errors(passing=OperationalError), self._unit.pool.connection() as connection:
                    return await (await connection.execute(QUERIES[query], parameters)).fetchone()
            except OperationalError as outage:
                log.warning("the database does not answer yet: %s", str(outage).strip())
                await asyncio.sleep(PAUSE_S)

    def _stream(self) -> dict[str, object]:
        return {"address": self._unit.address, "epoch": self._unit.epoch}


def _entries(events: Sequence[Event], event_ids: Sequence[UUID]) -> list[dict[str, object]]:
    """The events as append_decisions takes them."""
    return [
        {
            "event_id": event_id,
            "type": type_name(event),
            "schema_version": event.schema_version,
            "data": event,
            "deployment_id": getattr(event, "deployment_id", msgspec.UNSET) or None,
        }
        for event, event_id in zip(events, event_ids, strict=True)
    ]
