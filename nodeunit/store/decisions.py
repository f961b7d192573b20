"""The stream of one unit's decisions: rounds, claims, processes. One writer, so one append at a time.

An append whose answer was lost may have been committed or not. It is never simply sent again: the row that counts the
stream's versions is read under its lock, which waits for an append still on its way; the version tells the outcome.
Should the original arrive after its repetition all the same, the expected version refuses it.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID, uuid4

import msgspec
from psycopg import AsyncConnection, OperationalError
from psycopg.rows import DictRow

from nodeunit.domain.deployment import Deployment
from nodeunit.domain.events import Event, type_name
from nodeunit.domain.policy import Candidate, UnitView
from nodeunit.domain.round import RoundInputs
from nodeunit.errors import StaleEpoch
from nodeunit.store.connections import Pool, explained
from nodeunit.store.membership import Membership
from nodeunit.store.queries import QUERIES

log = logging.getLogger(__name__)


class DecisionStream:
    """Appends what one unit decides, in one epoch. Every method raises StaleEpoch once the epoch is over."""

    def __init__(self, pool: Pool, unit: Membership) -> None:
        self._pool = pool
        self._unit = unit
        self._version = 0
        self._one_at_a_time = asyncio.Lock()

    async def append(self, *events: Event, event_id: UUID | None = None) -> None:
        """Appends the events, in order, in one transaction. Waits out a lost connection. `event_id` is the first's."""
        encoded = _encode(events, event_id)

        async def attempt(connection: AsyncConnection[DictRow]) -> None:
            await connection.execute(QUERIES["append_decisions"], self._parameters(encoded))

        async with self._one_at_a_time:
            before = self._version
            while self._version == before:
                try:
                    await self._run(attempt)
                    self._version += len(events)
                except OperationalError as error:
                    await self._find_out(error)

    async def claim(self, candidate: Candidate, events: tuple[Event, ...]) -> Deployment | None:
        """Appends the round's events and claims the row, all or nothing. None: somebody was faster (and that is
        recorded). After a lost connection the outcome is looked up; a claim that did not come through is None too,
        unrecorded, and the next round sees the row again.
        """
        event_id = uuid4()
        parameters = self._parameters(_encode(events)) | {
            "deployment_id": candidate.id,
            "version": candidate.version,
            "holder": candidate.holder,
            "event_id": event_id,
        }

        async def attempt(connection: AsyncConnection[DictRow]) -> DictRow | None:
            return await (await connection.execute(QUERIES["claim_deployment"], parameters)).fetchone()

        async with self._one_at_a_time:
            parameters["stream_version"] = before = self._version
            try:
                row = await self._run(attempt)
                self._version += len(events) + (row is None)
                return None if row is None else msgspec.convert(row, Deployment)
            except OperationalError as error:
                await self._find_out(error)
            # The round's events are there exactly when the claim or its conflict is.
            if self._version != before + len(events):
                return None
            held = await programs_of(self._pool, self._unit.address)
            return next((d for d in held if d.id == candidate.id), None)

    async def _run(self, attempt: Callable[[AsyncConnection[DictRow]], Awaitable[Any]]) -> Any:
        async with explained(but=OperationalError), self._pool.connection() as connection:
            return await attempt(connection)

    async def _find_out(self, error: OperationalError) -> None:
        """Reads the stream's version after an append whose outcome is unknown. Tries until the database answers."""
        log.warning("the outcome of an append is unknown (%s): looking it up", str(error).strip())
        while True:
            try:
                async with self._pool.connection() as connection:
                    cursor = await connection.execute(
                        QUERIES["stream_version_now"],
                        {"address": self._unit.address, "epoch": self._unit.epoch},
                    )
                    row = await cursor.fetchone()
                break
            except OperationalError as outage:
                log.warning("the database does not answer yet: %s", str(outage).strip())
                await asyncio.sleep(0.2)
        if row is None:
            raise StaleEpoch(f"epoch {self._unit.epoch} of unit {self._unit.address} is over")
        self._version = row["stream_version"]

    def _parameters(self, encoded: str) -> dict[str, object]:
        return {
            "address": self._unit.address,
            "epoch": self._unit.epoch,
            "stream_version": self._version,
            "events": encoded,
        }


async def release(pool: Pool, unit: Membership, deployment: Deployment, reason: str) -> bool:
    """Gives a row back. False when the unit does not hold it at that version any more: repeating it is harmless."""
    async with explained(), pool.connection() as connection:
        cursor = await connection.execute(
            QUERIES["release_deployment"],
            {
                "address": unit.address,
                "epoch": unit.epoch,
                "deployment_id": deployment.id,
                "version": deployment.address_version,
                "reason": reason,
                "event_id": uuid4(),
            },
        )
        row = await cursor.fetchone()
    return row is not None and bool(row["release_deployment"])


async def round_inputs(pool: Pool, refused: list[str], limit: int) -> RoundInputs:
    """What a round decides on. `refused` are the name@version texts the unit may not run."""
    async with explained(), pool.connection() as connection:
        cursor = await connection.execute(QUERIES["round_inputs"], {"refused": refused, "limit": limit})
        row = await cursor.fetchone()
    assert row is not None
    return RoundInputs(
        units=msgspec.convert(row["units"], tuple[UnitView, ...]),
        candidates=msgspec.convert(row["candidates"], tuple[Candidate, ...]),
    )


async def programs_of(pool: Pool, address: str) -> list[Deployment]:
    """What should run on a unit: the enabled rows it holds and every enabled daemon row."""
    async with explained(), pool.connection() as connection:
        rows = await (await connection.execute(QUERIES["programs_of"], {"address": address})).fetchall()
    return [msgspec.convert(row, Deployment) for row in rows]


async def is_recorded(pool: Pool, event_id: UUID) -> bool:
    """Whether an event is in the log: how a writer finds out what became of an append."""
    async with explained(), pool.connection() as connection:
        row = await (await connection.execute(QUERIES["event_by_id"], {"event_id": event_id})).fetchone()
    return row is not None


def _encode(events: tuple[Event, ...], first_id: UUID | None = None) -> str:
    """The events as append_decisions wants them."""
    return msgspec.json.encode(
        [
            {
                "event_id": first_id if first_id is not None and n == 0 else uuid4(),
                "type": type_name(event),
                "data": event,
                "deployment_id": getattr(event, "deployment_id", msgspec.UNSET) or None,
            }
            for n, event in enumerate(events)
        ]
    ).decode()
