"""Joining the fleet, staying in it and leaving it: leases and epochs, as one unit sees them."""

import asyncio
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

import msgspec
from psycopg import OperationalError

from nodeunit.clock import boottime
from nodeunit.domain.can_run import Needs
from nodeunit.domain.claim_round import RoundInputs
from nodeunit.domain.deployment import Deployment
from nodeunit.domain.events import UnitJoined
from nodeunit.domain.forward_play import Forecast
from nodeunit.domain.policy import Usage
from nodeunit.errors import RowLocked
from nodeunit.store.postgres.connections import Pool, translate_errors
from nodeunit.store.postgres.queries import QUERIES
from nodeunit.store.write import unit_reads

LOCKED_FOR_S = 2.0
"""How long a release waits, without a connection or a lock, for a row that another transaction has locked."""

POLL_EVERY_S = 0.05

MOST_ADDRESSES = 200
"""A notification for more units than this goes to all, because each part of it wakes every listener of the database."""


class ProgramSample(msgspec.Struct, frozen=True, omit_defaults=True):
    """What one program used since the sample before."""

    deployment_id: UUID
    claim_version: int
    cpu_percent: float
    """The share of the whole machine: 100 is all cores busy."""
    memory_mb: float
    log_bytes: int | None = None
    """What its logs use on disk; None if that was not looked at."""


class DiskSample(msgspec.Struct, frozen=True):
    """What a unit uses on disk, in bytes."""

    log_bytes: int
    install_bytes: int


class HeartbeatAnswer(msgspec.Struct, frozen=True):
    """The answer to a heartbeat."""

    fenced: bool
    """The epoch is over."""
    expired: list[str]
    """Units whose lease has run out and that no unit has declared lost yet."""
    waiting: bool
    """There are rows to claim."""
    drain_s: float | None
    """The seconds left to move the rows away; None if no operator has requested a drain."""
    wake_up: int
    """The number of the newest notification."""
    expires_s: float | None = None
    """The seconds until the next lease of another unit expires unless it is renewed; None if there is none."""


@dataclass(frozen=True)
class Membership:
    """One unit in one epoch, with everything that it reads and writes.

    Whatever changes the fleet carries address and epoch, and raises StaleEpoch when the epoch is over. Every method
    raises DatabaseError for an outage.
    """

    pool: Pool = field(repr=False)
    address: str
    epoch: int
    lease_ttl_s: float
    inactive_after_s: float
    """After this many seconds without a heartbeat the unit takes no part in rounds."""

    async def heartbeat(
        self,
        measured: Usage | None,
        samples: list[ProgramSample],
        *,
        disk: DiskSample | None = None,
        takes_part: bool = True,
    ) -> HeartbeatAnswer:
        """Renews the lease and stores the samples, in one statement. `measured` is None before the first measurement,
        and `disk` where nobody has looked.

        The answer says whether the epoch is over; StaleEpoch is not raised.
        """
        async with translate_errors(), self.pool.connection() as connection:
            try:
                cursor = await connection.execute(
                    QUERIES["heartbeat"],
                    {
                        "address": self.address,
                        "epoch": self.epoch,
                        "lease_ttl_s": self.lease_ttl_s,
                        "inactive_after_s": self.inactive_after_s if takes_part else 0.0,
                        "cpu_percent": measured and measured.cpu_percent,
                        "memory_mb": measured and measured.memory_mb,
                        "samples": msgspec.json.encode([*samples, *([disk] if disk else [])]).decode(),
                    },
                )
            except OperationalError:
                # The next one may go to another host, because this server may have been replaced: it waits for a
                # standby that no longer follows it, and the previous heartbeat keeps the lease locked.
                await connection.close()
                raise
            row = await cursor.fetchone()
        assert row is not None
        return HeartbeatAnswer(**row)

    async def declare_lost(self, addresses: list[str]) -> list[str]:
        """Records that the leases of other units have expired, in one statement. Returns the units that it declared
        lost; it leaves out those whose lease is still good, or that another transaction has locked.
        """
        lost: list[str] = await self._write("declare_lost", lost=addresses)
        return lost

    async def probe(self, addresses: list[str]) -> datetime:
        """Asks units for an immediate heartbeat. Returns the time, by the database's clock, after which one counts."""
        probed_at: datetime = await self._write("probe_units", addresses=addresses)
        return probed_at

    async def suspect(self, addresses: list[str], probed_at: datetime) -> bool:
        """Leaves units out of rounds until they send a heartbeat, if none came since the probe. False: all sent one."""
        return bool(await self._write("suspect_units", addresses=addresses, probed_at=probed_at))

    async def notify(self, what: str, addresses: list[str]) -> None:
        """Sends one notification in a transaction of its own, never in that of a claim."""
        who = ",".join(addresses) if len(addresses) <= MOST_ADDRESSES else "*"
        await self._write("wake", what=what, who=who)

    async def begin_draining(self) -> None:
        """Records that the unit is leaving: it claims nothing more."""
        await self._write("begin_draining", event_id=uuid4())

    async def record_supervisor_death(self) -> None:
        """Records that the supervisor is dead, and its programs with it. The unit claims nothing more."""
        await self._write("record_supervisor_death", event_id=uuid4())

    async def release(self, deployment: Deployment, reason: str) -> bool:
        """Releases a row. False if the unit no longer holds it at that version. May be repeated.

        Raises RowLocked when another transaction has kept the row locked for two seconds.
        """
        give_up_at = boottime() + LOCKED_FOR_S
        while True:
            try:
                return bool(
                    await self._write(
                        "release_deployment",
                        deployment_id=deployment.id,
                        version=deployment.address_version,
                        reason=reason,
                        event_id=uuid4(),
                    )
                )
            except RowLocked:
                if boottime() >= give_up_at:
                    raise
            await asyncio.sleep(POLL_EVERY_S)

    async def first_unlocked(self, ids: Collection[str]) -> str | None:
        """The first of these rows that no other transaction has changed or locked; None if there is none."""
        found: UUID | None = await self._write("first_unlocked_deployment", ids=list(ids))
        return None if found is None else str(found)

    async def end_drain(self) -> None:
        """Records that a drain requested by an operator is complete: the unit holds nothing more, and stays."""
        await self._write("end_drain", event_id=uuid4())

    async def leave(self) -> None:
        """Ends the epoch. What the unit still holds can be taken over at once."""
        await self._write("leave_unit", event_id=uuid4())

    async def round_inputs(self, limit: int, refused: Collection[Needs] = ()) -> RoundInputs:
        """What a round decides on, with up to `limit` candidates, none of which needs what is `refused`."""
        return await unit_reads.round_inputs(self.pool, limit, refused)

    async def look(self, limit: int, refused: Collection[Needs] = ()) -> tuple[RoundInputs, Forecast]:
        """The same, and what programs that are claimed now will use."""
        return await unit_reads.look(self.pool, limit, refused)

    async def disabled_rows(self) -> list[Deployment]:
        """The rows that this unit holds and does not run, because they are disabled."""
        return await unit_reads.disabled_rows_of(self.pool, self.address)

    async def programs(self, known: Collection[tuple[UUID, int]] = ()) -> list[Deployment]:
        """The programs that should run here: the enabled rows that this unit holds, and every enabled daemon row.

        Each row, except those `known` by id and version to be held here, is as durable as a claim when this returns.
        Otherwise a server may show what no standby has, after a crash or a cancelled wait for the standby. Raises
        StaleEpoch.
        """
        return await unit_reads.programs_of(self.pool, self.address, confirm=(self.epoch, known))

    async def runs_elsewhere(self, released: Deployment) -> bool:
        """Whether another unit has started the program of a row that this unit released."""
        return await unit_reads.runs_elsewhere(self.pool, self.address, released)

    async def _write(self, query: str, **parameters: object) -> Any:
        """The single value that a statement returns."""
        parameters |= {"address": self.address, "epoch": self.epoch}
        async with translate_errors(), self.pool.connection() as connection:
            row = await (await connection.execute(QUERIES[query], parameters)).fetchone()
        assert row is not None
        (value,) = row.values()
        return value


async def join(
    pool: Pool,
    address: str,
    supervisor: UUID,
    joined: UnitJoined,
    *,
    lease_ttl_s: float,
    inactive_after_s: float,
) -> Membership:
    """Begins a new epoch. Raises IdentityAlive while another supervisor's unit has a good lease under this address."""
    async with translate_errors(), pool.connection() as connection:
        cursor = await connection.execute(
            QUERIES["join_unit"],
            {
                "address": address,
                "supervisor": supervisor,
                "lease_ttl_s": lease_ttl_s,
                "inactive_after_s": inactive_after_s,
                "data": msgspec.json.encode(joined).decode(),
                "event_id": uuid4(),
            },
        )
        row = await cursor.fetchone()
    assert row is not None
    return Membership(pool, address, row["join_unit"], lease_ttl_s, inactive_after_s)


class Lease(msgspec.Struct, frozen=True):
    """The lease in force under an address."""

    renewed_at: datetime
    expires_at: datetime
    left_s: float


async def lease_of(pool: Pool, address: str) -> Lease | None:
    """The lease in force, or None. Restarts the leases after a failover, because no other unit may be left to do so."""
    async with translate_errors(), pool.connection() as connection:
        await connection.execute(QUERIES["count_leases_anew_after_failover"])
        row = await (await connection.execute(QUERIES["lease_of"], {"address": address})).fetchone()
    return None if row is None else Lease(**row)
