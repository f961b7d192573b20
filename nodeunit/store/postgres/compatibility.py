"""Whether this code and the schema of a database fit together, by the numbers that the schema states.

`schema_compatibility` has one row: the schema's version, and the oldest version of the code that may read it and that
may write. A schema that is newer than the code is accepted as long as it supports the code, so units of the version
before continue to work, and may be restarted, while a fleet is upgraded. A schema that is older than the code is
refused: its functions lack what the code calls, and one sentence at the start is better than a failure at every
heartbeat.
"""

from typing import NamedTuple

from psycopg import AsyncConnection
from psycopg.rows import DictRow

from nodeunit.errors import NotMigrated, SchemaTooNew
from nodeunit.store.postgres.queries import QUERIES
from nodeunit.store.postgres.schema_files import Phase, migrations

SCHEMA_VERSION = 2
"""The version of the schema that this code needs; `migrations/compatibility.sql` says what each version added."""


class Compatibility(NamedTuple):
    """The one row of `schema_compatibility`."""

    version: int
    min_reader: int
    min_writer: int


OF_0_1_0 = Compatibility(1, 1, 1)
"""The compatibility of a schema made before the table existed."""


async def stated(connection: AsyncConnection[DictRow]) -> Compatibility | None:
    """What the schema of the database states; None if there is no schema."""
    there = await (await connection.execute(QUERIES["schema_tables"])).fetchone()
    if there is None or not there["migrated"]:
        return None
    if not there["states_compatibility"]:
        return OF_0_1_0
    row = await (await connection.execute(QUERIES["schema_compatibility"])).fetchone()
    return OF_0_1_0 if row is None else Compatibility(**row)


async def refuse_unfit_schema(connection: AsyncConnection[DictRow], *, writes: bool) -> None:
    """Raises NotMigrated for a schema that is missing, incomplete or older than this code, and SchemaTooNew for one
    that no longer serves it.
    """
    schema = await stated(connection)
    if schema is None:
        raise NotMigrated("the database has no nodeunit schema; run: nodeunit migrate")
    oldest = schema.min_writer if writes else schema.min_reader
    if oldest > SCHEMA_VERSION:
        raise SchemaTooNew(
            f"the schema of the database (version {schema.version}) no longer serves this nodeunit: it needs one "
            f"of schema version {oldest} or later, and this one is of {SCHEMA_VERSION}; upgrade nodeunit"
        )
    if schema.version < SCHEMA_VERSION:
        raise NotMigrated(
            f"the schema of the database (version {schema.version}) is older than this nodeunit (version "
            f"{SCHEMA_VERSION}); run: nodeunit migrate"
        )
    if schema.version == SCHEMA_VERSION:
        await _refuse_other_text(connection)


async def applied_migrations(connection: AsyncConnection[DictRow]) -> dict[str, str]:
    """The checksum of each applied file by its name; empty before the first migration."""
    there = await (await connection.execute(QUERIES["schema_tables"])).fetchone()
    if there is None or not there["migrated"]:
        return {}
    rows = await (await connection.execute(QUERIES["applied_migrations"])).fetchall()
    return {row["name"]: row["checksum"] for row in rows}


async def _refuse_other_text(connection: AsyncConnection[DictRow]) -> None:
    """Each version has one text of each file. No code of a version needs the files that come after the functions."""
    applied = await applied_migrations(connection)
    for migration in migrations():
        if migration.phase is not Phase.AFTER and applied.get(migration.name) != migration.checksum:
            what = "has another" if migration.name in applied else "lacks"
            raise NotMigrated(f"the database {what} {migration.name}; run: nodeunit migrate")
