"""What the fleet has agreed on for packages: the version of each row, and the lock of each version.

The first unit that installs a version records its lock, and every other unit is held to it.
"""

from typing import Any, NamedTuple

from nodeunit.domain.deployment import Deployment
from nodeunit.store.postgres.connections import Pool, translate_errors
from nodeunit.store.postgres.queries import QUERIES
from nodeunit.store.write.membership import Membership


class RecordedLock(NamedTuple):
    """The lock of an exact version."""

    version: str
    integrity: str
    """The hash of the package itself, as its registry writes it."""
    lock: str
    """The lock file of the registry's own tool."""
    packages: int


async def agreed_for(pool: Pool, row: Deployment) -> RecordedLock | None:
    """What the version of a row was resolved to; None: not yet."""
    parameters = {
        "deployment_id": row.id, "runtime": row.runtime, "name": row.package_name, "wanted": row.package_version,
    }  # fmt: skip
    return await _one(pool, "installed_version", parameters)


async def lock_of(pool: Pool, runtime: str, name: str, version: str) -> RecordedLock | None:
    """The lock of an exact version; None: no unit has installed it yet."""
    return await _one(pool, "package_lock_of", {"runtime": runtime, "name": name, "version": version})


async def record(unit: Membership, row: Deployment, made: RecordedLock) -> RecordedLock | None:
    """Records what this unit has installed for a row. Returns what counts, which may be what another unit recorded.

    None: the row wants another package by now, or another unit runs it. Raises StaleEpoch.
    """
    parameters = {
        "address": unit.address, "epoch": unit.epoch, "deployment_id": row.id, "runtime": row.runtime,
        "name": row.package_name, "wanted": row.package_version, **made._asdict(),
    }  # fmt: skip
    return await _one(unit.pool, "record_install", parameters)


async def _one(pool: Pool, query: str, parameters: dict[str, Any]) -> RecordedLock | None:
    async with translate_errors(), pool.connection() as connection:
        row = await (await connection.execute(QUERIES[query], parameters)).fetchone()
    return None if row is None else RecordedLock(**row)
