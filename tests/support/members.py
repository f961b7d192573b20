"""Units of a fleet as far as the database knows them: they join, their leases expire, they claim."""

from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

from nodeunit.domain.event import Event
from nodeunit.domain.events import DeploymentClaimAttempt, DeploymentClaimEligibility, UnitJoined
from nodeunit.domain.policy import Candidate
from nodeunit.store.postgres.connections import Pool
from nodeunit.store.write import membership
from nodeunit.store.write.decisions import Claim, DecisionStream
from nodeunit.store.write.membership import Membership
from tests.support.rows import deployment, rows


def joined(name: str, supervisor: UUID, **settings: Any) -> UnitJoined:
    """The event that a unit writes when it joins; `settings` are other fields of it."""
    fields: dict[str, Any] = {
        "name": name, "host": "somewhere", "epoch": 0, "succeeds": None, "supervisor": supervisor,
        "policy": "deployment_count", "cpu_weight": 0.5, "memory_weight": 0.5, "trusted": "^@yuants/",
        "custom_command": False, "version": "0.1.0", "reserved_cpu_percent": 1.0, "reserved_memory_mb": 64.0,
        "runtimes": ("npm", "python"),
    }  # fmt: skip
    return UnitJoined(**(fields | settings))


async def join(
    pool: Pool, address: str, *, supervisor: UUID | None = None, lease_ttl_s: float = 60.0, **settings: Any
) -> Membership:
    """A unit joins under an address, with a lease so long that it expires only where a test makes it."""
    supervisor = supervisor or uuid4()
    return await membership.join(
        pool, address, supervisor, joined(address, supervisor, **settings),
        lease_ttl_s=lease_ttl_s, inactive_after_s=lease_ttl_s / 2,
    )  # fmt: skip


def turn_back_leases(conninfo: str, *addresses: str, by: timedelta = timedelta(hours=1)) -> None:
    """Makes the last heartbeat of these units, or of all, that much older."""
    rows(
        conninfo,
        "update lease set renewed_at = renewed_at - %(by)s, expires_at = expires_at - %(by)s, "
        "inactive_at = inactive_at - %(by)s where address = any (%(who)s) or cardinality(%(who)s) = 0",
        {"by": by, "who": list(addresses)},
    )


async def lose(pool: Pool, conninfo: str, finder: Membership, lost: str) -> None:
    """The lease of a unit expires and another unit declares it lost."""
    turn_back_leases(conninfo, lost)
    assert await finder.declare_lost([lost]) == [lost]


def candidate(conninfo: str, deployment_id: UUID) -> Candidate:
    """A row as a round would see it now."""
    row = deployment(conninfo, deployment_id)
    return Candidate(
        id=deployment_id, version=row["address_version"], holder=row["address"],
        package_name=row["package_name"], package_version=row["package_version"],
    )  # fmt: skip


def leading_up_to(claimant: str, deployment_id: UUID) -> tuple[Event, ...]:
    """The events that a round writes before its claim."""
    metrics = {"deployment_count": 0.0}
    return (
        DeploymentClaimEligibility(True, ["deployment_count"], [claimant], [claimant], metrics, metrics, []),
        DeploymentClaimAttempt(deployment_id, claimant, {}),
    )


async def claim(stream: DecisionStream, claimant: str, wanted: Candidate) -> bool:
    """One claim with all its events. False: another unit was faster."""
    claimed = await stream.claim(Claim(wanted, leading_up_to(claimant, wanted.id)))
    assert [(row.id, row.address) for row in claimed] in ([], [(wanted.id, claimant)])
    return claimed != []
