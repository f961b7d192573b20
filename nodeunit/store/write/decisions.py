"""The stream of one unit's decisions: rounds, claims, process events. One writer makes one append at a time.

An append whose answer was lost, or that was cancelled, may have been committed or not. It is never simply repeated. The
row that counts the versions of the stream is read under its lock, which waits for an append still in progress, and then
the event is looked up by its id. If it is missing, it is sent again, expecting the version just read. Only one of the
two can be written, because they expect the same version.
"""

import asyncio
import logging
from collections.abc import Sequence
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
        encoded = _encode(events, event_ids)
        async with self._one_at_a_time:
            pause_s = 0.0
            while True:
                try:
                    await self._send_events(encoded, len(events))
                    return
                except (OperationalError, VersionConflict) as error:
                    if await self._look_up(event_ids[0], error):
                        return
                await asyncio.sleep(pause_s)
                pause_s = PAUSE_S

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
        count = sum(len(claim.events) for claim in claims)
        wanted = [claim.candidate.id for claim in claims]
        async with self._one_at_a_time:
            pause_s = 0.0
            while True:
                try:
                    rows = await self._send_claims(encoded, count, len(claims))
                    won = {row["id"]: msgspec.convert(row, Deployment) for row in rows}
                    return [won[key] for key in wanted if key in won]
                except (OperationalError, VersionConflict) as error:
                    if await self._look_up(event_ids[0], error):
                        break
                await asyncio.sleep(pause_s)
                pause_s = PAUSE_S
            claimed = {claim.candidate.id: claim.candidate.version for claim in claims}
            held = await self._unit.programs()
            return [d for d in held if d.id in claimed and d.address_version > claimed[d.id]]

    async def recorded(self, event_ids: Sequence[UUID]) -> set[UUID]:
        """Which of these events are in the log, written by this daemon or another. Repeats after a lost connection."""
        row = await self._read("recorded_events", {"event_ids": list(event_ids)})
        if row is None or not row["event_ids"]:
            return set()
        await self._read("confirm_reads", self._stream())
        return set(row["event_ids"])

    async def _send_claims(self, claims: str, events: int, rows: int) -> list[DictRow]:
        version = await self._current_version()
        self._version = None
        parameters = {"claims": claims, "stream_version": version}
        async with translate_errors(passing=OperationalError), self._unit.pool.connection() as connection:
            cursor = await connection.execute(QUERIES["claim_deployments"], parameters | self._stream())
            won = await cursor.fetchall()
        self._version = version + events + rows - len(won)  # an event for each conflict
        return won

    async def _send_events(self, events: str, count: int) -> None:
        version = await self._current_version()
        self._version = None
        parameters = {"events": events, "stream_version": version}
        async with translate_errors(passing=OperationalError), self._unit.pool.connection() as connection:
            await connection.execute(QUERIES["append_decisions"], parameters | self._stream())
        self._version = version + count

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


def _encode(events: Sequence[Event], event_ids: Sequence[UUID]) -> str:
    """The events as the parameter of append_decisions."""
    return msgspec.json.encode(_entries(events, event_ids)).decode()


def _entries(events: Sequence[Event], event_ids: Sequence[UUID]) -> list[dict[str, object]]:
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
