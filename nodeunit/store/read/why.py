"""The circumstances of one deployment: what was decided about it, on which inputs, and what happened to its program."""

from datetime import datetime
from typing import Any, LiteralString
from uuid import UUID

import msgspec
from psycopg.rows import args_row

from nodeunit.domain.claim_round import RoundInputs
from nodeunit.domain.events import DeploymentChanged, DeploymentCreated
from nodeunit.domain.policy import Candidate, UnitView
from nodeunit.domain.snapshot_events import DeploymentSnapshot
from nodeunit.store.postgres.connections import Connection, translate_errors
from nodeunit.store.postgres.queries import QUERIES
from nodeunit.store.read.event_log import RecordedEvent

SPECIFYING = (DeploymentCreated, DeploymentChanged, DeploymentSnapshot)
"""The events that tell the whole specification of a row."""


async def assignments(connection: Connection, deployment_id: UUID, at: datetime | None) -> list[RecordedEvent]:
    """The newest assignment event and the one before it."""
    return await _events(connection, "why_assignments", deployment_id=deployment_id, at=at)


async def specifications(connection: Connection, deployment_id: UUID, at: datetime | None) -> list[RecordedEvent]:
    """What people did to the row, newest first."""
    return await _events(connection, "why_specifications", deployment_id=deployment_id, at=at)


def with_needs(candidate: Candidate, specifications: list[RecordedEvent]) -> Candidate:
    """The candidate with what the row needs of a unit, by what people did to it, newest first."""
    decoded = (recorded.event() for recorded in specifications)
    newest = next((event for event in decoded if isinstance(event, SPECIFYING)), None)
    if newest is None:
        return candidate
    secrets = newest.options.get("secrets", {})
    return msgspec.structs.replace(
        candidate,
        has_command=bool(newest.command),
        runtime=newest.runtime,
        secrets=tuple(sorted(set(secrets.values()))) if isinstance(secrets, dict) else (),
    )


async def round_of_claim(connection: Connection, claim: RecordedEvent) -> RecordedEvent | None:
    """The recorded inputs of the round that ended with this claim."""
    found = await _events(
        connection,
        "why_round_of_claim",
        claimant=claim.unit_address,
        transaction_id=str(claim.transaction_id),
        claimed_at=claim.recorded_at,
        position=claim.position,
    )
    return found[0] if found else None


async def rounds(
    connection: Connection, addresses: list[str], since: datetime, at: datetime | None
) -> list[RecordedEvent]:
    """The newest round of each unit since then, newest first; units without a round are left out."""
    return await _events(connection, "why_rounds", addresses=addresses, since=since, at=at)


async def programs(
    connection: Connection, deployment_id: UUID, holder: str, version: int, since: datetime, at: datetime | None
) -> list[RecordedEvent]:
    """The newest starts, ends and parkings of the program under one claim of one unit, newest first."""
    return await _events(
        connection, "why_programs", deployment_id=deployment_id, holder=holder, version=version, since=since, at=at
    )


async def unusable(
    connection: Connection, deployment_id: UUID, since: datetime, at: datetime | None
) -> RecordedEvent | None:
    """That the row cannot be claimed, said since a moment."""
    found = await _events(connection, "why_unusable", deployment_id=deployment_id, since=since, at=at)
    return found[0] if found else None


async def unit_snapshot(connection: Connection, address: str, at: datetime | None) -> RecordedEvent | None:
    """What a unit ran at the end of the archived events; None: nothing of it is archived."""
    found = await _events(connection, "why_unit_snapshot", address=address, at=at)
    return found[0] if found else None


async def membership_after(connection: Connection, address: str, version: int, at: datetime) -> RecordedEvent | None:
    """The membership event of a unit that came after a time at which its stream had this version."""
    found = await _events(connection, "why_membership_after", address=address, version=version, at=at)
    return found[0] if found else None


class Silence(msgspec.Struct, frozen=True):
    """A heartbeat is overdue."""

    since: datetime
    expires_at: datetime
    """The end of its lease."""
    expired: bool


async def silence(connection: Connection, address: str) -> Silence | None:
    """Whether a unit is silent now."""
    async with translate_errors():
        row = await (await connection.execute(QUERIES["why_silence"], {"address": address})).fetchone()
    return None if row is None else Silence(**row)


async def inputs_now(connection: Connection, limit: int) -> RoundInputs:
    """The inputs of a round now, with up to `limit` of the oldest candidates. Writes nothing."""
    async with translate_errors():
        row = await (await connection.execute(QUERIES["plan_inputs"], {"limit": limit})).fetchone()
    assert row is not None
    return RoundInputs(
        units=msgspec.convert(row["units"], tuple[UnitView, ...]),
        candidates=msgspec.convert(row["candidates"], tuple[Candidate, ...]),
    )


async def _events(connection: Connection, query: LiteralString, **parameters: Any) -> list[RecordedEvent]:
    async with translate_errors(), connection.cursor(row_factory=args_row(RecordedEvent)) as cursor:
        await cursor.execute(QUERIES[query], parameters)
        return await cursor.fetchall()
