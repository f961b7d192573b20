"""Brings a database to the schema of this code.

Three kinds of files, in this order: `migrations/NNNN_*.sql` run once; `projections/*.sql`,
`migrations/functions/*.sql` and `migrations/views/*.sql` are repeatable and run again when their text changes;
`migrations/grants.sql` runs last, when anything did. All in one transaction under an advisory lock: two migrations at
once wait for each other, and an interrupted one leaves nothing behind.
"""

from collections.abc import Sequence
from typing import NamedTuple

import psycopg
from psycopg import AsyncConnection
from psycopg.rows import DictRow

from nodeunit.errors import DatabaseError, SchemaTooNew
from nodeunit.store.postgres.connections import connect, translate_error, translate_errors
from nodeunit.store.postgres.queries import QUERIES
from nodeunit.store.postgres.requirements import refuse_old_server
from nodeunit.store.postgres.schema_files import Migration, migrations

REPEATABLE = ("migrations/functions/", "migrations/views/", "projections/")
"""A file there that a database has and this version lacks is harmless: one that was renamed or given up."""


class MigrationResult(NamedTuple):
    """What a migration did, or would do."""

    applied: Sequence[str]
    notices: Sequence[str]
    """What the server remarked, such as that TimescaleDB is not there."""


class MigrationState(NamedTuple):
    """One line of `nodeunit migrate --status`."""

    name: str
    state: str
    """`applied`, `pending`, `changed` (a repeatable file has a new text) or `unknown` (of a newer version)."""


async def status(conninfo: str) -> list[MigrationState]:
    """The state of each file in the database. Raises what `connect` raises."""
    async with await connect(conninfo, "migrate") as connection, translate_errors(conninfo):
        known = await _ledger(connection)
    ours = migrations()
    states = [MigrationState(m.name, _state(m, known)) for m in ours]
    names = {m.name for m in ours}
    return states + [MigrationState(name, "unknown") for name in sorted(known) if name not in names]


async def migrate(conninfo: str, *, dry_run: bool = False) -> MigrationResult:
    """Applies what is missing; with `dry_run` everything runs and is rolled back.

    Raises SchemaTooNew for a database that a newer version has migrated, DatabaseError naming the file that failed,
    and what `connect` raises.
    """
    notices: list[str] = []
    async with await connect(conninfo, "migrate") as connection:
        connection.add_notice_handler(lambda diagnostic: notices.append(diagnostic.message_primary or ""))
        async with translate_errors(conninfo):
            await refuse_old_server(connection)
            await connection.execute(QUERIES["take_migration_lock"])
            await connection.execute(QUERIES["search_temporary_tables_last"])
            async with connection.transaction(force_rollback=dry_run):
                applied = await _apply(connection)
    return MigrationResult(applied, [n for n in notices if "already exists" not in n and "skipping" not in n])


async def _apply(connection: AsyncConnection[DictRow]) -> list[str]:
    known = await _ledger(connection)
    ours = migrations()
    unknown = sorted(set(known) - {m.name for m in ours if not m.repeatable} - {m.name for m in ours})
    if newer := [name for name in unknown if not name.startswith(REPEATABLE)]:
        raise SchemaTooNew(f"the database has {newer[-1]}, which this version does not know; upgrade nodeunit")
    await connection.execute(QUERIES["create_ledger"])
    pending = [m for m in ours if _state(m, known) != "applied"]
    if pending and ours[-1] not in pending:
        pending.append(ours[-1])  # the grants: a new function has none yet
    for migration in pending:
        try:
            await connection.execute(migration.text.encode())
        except psycopg.Error as error:
            reason = translate_error(error)
            raise DatabaseError(f"{migration.name} failed and everything is rolled back: {reason}") from error
        await connection.execute(QUERIES["record_migration"], {"name": migration.name, "checksum": migration.checksum})
    return [m.name for m in pending]


async def _ledger(connection: AsyncConnection[DictRow]) -> dict[str, str]:
    """Name to checksum of what was applied; empty before the first migration."""
    server = await (await connection.execute(QUERIES["server"])).fetchone()
    if server is None or not server["migrated"]:
        return {}
    rows = await (await connection.execute(QUERIES["applied_migrations"])).fetchall()
    return {row["name"]: row["checksum"] for row in rows}


def _state(migration: Migration, known: dict[str, str]) -> str:
    checksum = known.get(migration.name)
    if checksum is None:
        return "pending"
    if checksum == migration.checksum:
        return "applied"
    if not migration.repeatable:
        raise DatabaseError(
            f"{migration.name} was changed after it had been applied; restore its text and add a new file"
        )
    return "changed"
