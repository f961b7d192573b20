"""Joining the fleet, staying in it and leaving it: leases and epochs, as one unit sees them."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

import msgspec
from psycopg import AsyncConnection
from psycopg.rows import DictRow

from nodeunit.domain.events import UnitJoined
from nodeunit.domain.policy import Usage
from nodeunit.store.postgres.connections import Pool, translate_errors
from nodeunit.store.postgres.queries import QUERIES

MOST_ADDRESSES = 20
"""A notification for more units than this is for all: its payload is bounded."""


@dataclass(frozen=True)
class Membership:
    """One unit in one epoch. Every write below carries both; a stale epoch raises StaleEpoch."""

    address: str
    epoch: int
    lease_ttl_s: float
    quiet_after_s: float
    """Without a heartbeat for so long the unit takes no part in rounds."""


class ProgramSample(msgspec.Struct, frozen=True):
    """What one program used since the sample before."""

    deployment_id: UUID
    claim_version: int
    cpu_percent: float
    """Of the whole machine: all cores busy is 100."""
    memory_mb: float


class HeartbeatAnswer(msgspec.Struct, frozen=True):
    """What a unit must know, with every heartbeat."""

    fenced: bool
    """The epoch is not in force any more."""
    expired: list[str]
    """Units whose lease has run out and whom nobody has declared lost yet."""
    waiting: bool
    """There are rows that somebody could claim."""
    drain_s: float | None
    """Seconds that an operator leaves for moving the rows away; None: nobody wants that."""
    wake_up: int
    """The number of the newest notification."""
    expires_s: float | None = None
    """Seconds until the next lease of another unit runs out, should that unit stay silent; None: there is none."""


async def join(
    pool: Pool,
    address: str,
    supervisor: UUID,
    joined: UnitJoined,
    *,
    lease_ttl_s: float,
    quiet_after_s: float,
) -> Membership:
    """Takes a new epoch. Raises IdentityAlive while another supervisor's unit lives under this address."""
    async with translate_errors(), pool.connection() as connection:
        epoch = await _value(
            connection,
            "join_unit",
            address=address,
            supervisor=supervisor,
            lease_ttl_s=lease_ttl_s,
            quiet_after_s=quiet_after_s,
            data=msgspec.json.encode(joined).decode(),
            event_id=uuid4(),
        )
    return Membership(address, epoch, lease_ttl_s, quiet_after_s)


class Lease(msgspec.Struct, frozen=True):
    """The lease in force under an address."""

    renewed_at: Any
    expires_at: Any
    left_s: float


async def lease_of(pool: Pool, address: str) -> Lease | None:
    """The lease in force, or None."""
    async with translate_errors(), pool.connection() as connection:
        row = await (await connection.execute(QUERIES["lease_of"], {"address": address})).fetchone()
    return None if row is None else Lease(**row)


async def heartbeat(
    pool: Pool, unit: Membership, measured: Usage | None, samples: list[ProgramSample]
) -> HeartbeatAnswer:
    """Renews the lease and stores the samples; one statement. None: the unit has not measured itself yet."""
    async with translate_errors(), pool.connection() as connection:
        cursor = await connection.execute(
            QUERIES["heartbeat"],
            {
                "address": unit.address,
                "epoch": unit.epoch,
                "lease_ttl_s": unit.lease_ttl_s,
                "quiet_after_s": unit.quiet_after_s,
                "cpu_percent": measured and measured.cpu_percent,
                "memory_mb": measured and measured.memory_mb,
                "samples": msgspec.json.encode(samples).decode(),
            },
        )
        row = await cursor.fetchone()
    assert row is not None
    return HeartbeatAnswer(**row)


async def declare_lost(pool: Pool, unit: Membership, lost: str) -> bool:
    """Says that another unit's lease has run out. False when it has not, or somebody else was first."""
    async with translate_errors(), pool.connection() as connection:
        return bool(
            await _value(
                connection,
                "declare_lost",
                address=unit.address,
                epoch=unit.epoch,
                lost=lost,
                event_id=uuid4(),
            )
        )


async def begin_draining(pool: Pool, unit: Membership) -> None:
    """From here on the unit claims nothing more."""
    async with translate_errors(), pool.connection() as connection:
        await _value(connection, "begin_draining", address=unit.address, epoch=unit.epoch, event_id=uuid4())


async def end_drain(pool: Pool, unit: Membership) -> None:
    """Says that an operator's drain is done: the unit holds nothing more, and stays."""
    async with translate_errors(), pool.connection() as connection:
        await _value(connection, "end_drain", address=unit.address, epoch=unit.epoch, event_id=uuid4())


async def leave(pool: Pool, unit: Membership) -> None:
    """Ends the epoch. What the unit still held can be taken over at once."""
    async with translate_errors(), pool.connection() as connection:
        await _value(connection, "leave_unit", address=unit.address, epoch=unit.epoch, event_id=uuid4())


async def probe(pool: Pool, addresses: list[str]) -> datetime:
    """Asks units for a heartbeat, now. Returns the time, by the database's clock, after which one is an answer."""
    async with translate_errors(), pool.connection() as connection:
        probed_at: datetime = await _value(connection, "ask_units", addresses=addresses)
        return probed_at


async def suspect(pool: Pool, unit: Membership, addresses: list[str], probed_at: datetime) -> bool:
    """Leaves units out of rounds until they send a heartbeat, if none came since the probe. False: all sent one."""
    async with translate_errors(), pool.connection() as connection:
        return bool(
            await _value(
                connection,
                "doubt_units",
                address=unit.address,
                epoch=unit.epoch,
                addresses=addresses,
                asked_at=probed_at,
            )
        )


async def notify(pool: Pool, what: str, addresses: list[str]) -> None:
    """Sends one notification in a transaction of its own, never in that of a claim."""
    who = ",".join(addresses) if len(addresses) <= MOST_ADDRESSES else "*"
    async with translate_errors(), pool.connection() as connection:
        await connection.execute(QUERIES["wake"], {"what": what, "who": who})


async def _value(connection: AsyncConnection[DictRow], query: str, **parameters: object) -> Any:
    row = await (await connection.execute(QUERIES[query], parameters)).fetchone()
    assert row is not None
    (value,) = row.values()
    return value
