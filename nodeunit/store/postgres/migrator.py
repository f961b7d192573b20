"""Brings a database to the schema of this code, under a running fleet.

Each versioned file is one transaction; all repeatable files whose text has changed, with the grants, are one more. A
database that has no schema gets all of it in a single transaction. So an interrupted migration leaves nothing, or a
schema that older and newer units can use and that the next migration completes. Of two migrations at once, the second
waits. At the end the chunks of the log are arranged (`chunks.py`).
"""

from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import NamedTuple

import psycopg
from psycopg import AsyncConnection
from psycopg.errors import DeadlockDetected, InsufficientPrivilege, LockNotAvailable
from psycopg.rows import DictRow

from nodeunit.errors import DatabaseError, SchemaOccupied, SchemaTooNew
from nodeunit.store.postgres.chunks import arrange_chunks
from nodeunit.store.postgres.compatibility import SCHEMA_VERSION, applied_migrations, stated
from nodeunit.store.postgres.connections import connect, translate_error, translate_errors
from nodeunit.store.postgres.lock_wait import SETTINGS, LockWait, Tell
from nodeunit.store.postgres.queries import QUERIES
from nodeunit.store.postgres.requirements import refuse_old_server
from nodeunit.store.postgres.schema_files import Migration, Phase, migrations

WAIT_S = 300.0
"""How long a migration tries to get its locks, unless told otherwise."""


class MigrationResult(NamedTuple):
    """What a migration did, or would do."""

    applied: Sequence[str]
    notices: Sequence[str]
    """The notices of the server, such as that TimescaleDB is missing."""
    merged: int = 0
    """The number of short chunks that were merged into long ones."""


class MigrationState(NamedTuple):
    """One line of `nodeunit migrate --status`."""

    name: str
    state: str
    """`applied`, `pending`, `changed` (a repeatable file has a new text) or `unknown` (of another version)."""


async def status(conninfo: str) -> list[MigrationState]:
    """The state of each file in the database. Takes no lock that others wait for. Raises what `connect` raises."""
    async with await connect(conninfo, "migrate") as connection, translate_errors(conninfo):
        known = await applied_migrations(connection)
    ours = migrations()
    states = [MigrationState(m.name, _state(m, known)) for m in ours]
    names = {m.name for m in ours}
    return states + [MigrationState(name, "unknown") for name in sorted(known) if name not in names]


async def dry_run(conninfo: str) -> list[str]:
    """The files that `migrate` would apply. Executes none of them and takes no lock."""
    async with await connect(conninfo, "migrate") as connection, translate_errors(conninfo):
        await refuse_old_server(connection)
        await _refuse_newer_schema(connection)
        known = await applied_migrations(connection)
        return [m.name for m in _pending(migrations(), known, grants=await _grants_missing(connection))]


async def migrate(
    conninfo: str, *, wait_s: float = WAIT_S, tell: Tell = lambda _: None, root: Path | None = None
) -> MigrationResult:
    """Applies what is missing. `tell` gets a sentence when others hold a lock that is needed; `root` holds the files
    of another schema.

    Raises SchemaOccupied where another program has a table `deployment`, SchemaTooNew for a database that a newer
    version has migrated, MigrationBlocked when others held the locks for longer than `wait_s`, DatabaseError naming the
    file that failed, and what `connect` raises.
    """
    notices: list[str] = []
    async with AsyncExitStack() as stack:
        connection = await stack.enter_async_context(await connect(conninfo, "migrate", SETTINGS))
        watcher = await stack.enter_async_context(await connect(conninfo, "migrate (who holds locks)"))
        await stack.enter_async_context(translate_errors(conninfo))
        connection.add_notice_handler(lambda diagnostic: notices.append(diagnostic.message_primary or ""))
        await refuse_old_server(connection)
        waiting = LockWait(connection, watcher, wait_s, tell)
        await waiting.attempt("the migration", lambda: _run(connection, "take_migration_lock"))
        await _refuse_extension_out_of_reach(connection)
        await _run(connection, "settle_search_path")
        applied = await _Migrating(connection, waiting, migrations(root)).run()
        merged = await arrange_chunks(connection, waiting, tell) if root is None else 0
    return MigrationResult(applied, [n for n in notices if "already exists" not in n and "skipping" not in n], merged)


class _Migrating:
    """One migration, under the advisory lock."""

    def __init__(self, connection: AsyncConnection[DictRow], waiting: LockWait, ours: list[Migration]) -> None:
        self._connection = connection
        self._waiting = waiting
        self._ours = ours

    async def run(self) -> list[str]:
        """Applies what is pending. Returns the names."""
        await _refuse_newer_schema(self._connection)
        known = await applied_migrations(self._connection)
        pending = _pending(self._ours, known, grants=await _grants_missing(self._connection))
        if not known:
            await _refuse_occupied_schema(self._connection)
            await self._in_one_transaction(pending)
            return [m.name for m in pending]
        before, repeatable, after = ([m for m in pending if m.phase is phase] for phase in Phase)
        for migration in before:
            await self._in_one_transaction([migration])
        if repeatable:
            await self._in_one_transaction(repeatable)
        if after:
            # A running call of a replaced function still uses the old text until it ends.
            await self._waiting.outlast_running_transactions(after[0].name)
        for migration in after:
            await self._in_one_transaction([migration])
        return [m.name for m in pending]

    async def _in_one_transaction(self, files: list[Migration]) -> None:
        async def step() -> None:
            at = "the table schema_migration"
            try:
                async with self._connection.transaction():
                    await _run(self._connection, "create_ledger")
                    for migration in files:
                        at = migration.name
                        await self._apply(migration)
            except InsufficientPrivilege as error:
                advice = f"grant it to {self._connection.info.user}, or let a login migrate that has it"
                details = [error.diag.message_detail, error.diag.message_hint]
                what = "; ".join(filter(None, [error.diag.message_primary, *details])).rstrip(".")
                raise DatabaseError(f"{at} cannot be made: {what}; {advice}") from error

        if files:
            await self._waiting.attempt(files[0].name, step)

    async def _apply(self, migration: Migration) -> None:
        try:
            await self._connection.execute(migration.text.encode())
        except (LockNotAvailable, DeadlockDetected, InsufficientPrivilege):
            raise
        except psycopg.Error as error:
            raise DatabaseError(f"{migration.name} failed and is rolled back: {translate_error(error)}") from error
        await self._connection.execute(
            QUERIES["record_migration"], {"name": migration.name, "checksum": migration.checksum}
        )


async def _run(connection: AsyncConnection[DictRow], query: str) -> None:
    await connection.execute(QUERIES[query])


async def _refuse_occupied_schema(connection: AsyncConnection[DictRow]) -> None:
    occupied = await (await connection.execute(QUERIES["tables_of_others"])).fetchone()
    if occupied is not None:
        raise SchemaOccupied(
            f"the schema {occupied['schema']} has a table deployment that is not nodeunit's, and stays as it is; give "
            "nodeunit a schema of its own beside it: create schema nodeunit, and add options=-csearch_path%3Dnodeunit "
            "to POSTGRES_URI"
        )


async def _refuse_newer_schema(connection: AsyncConnection[DictRow]) -> None:
    schema = await stated(connection)
    if schema is not None and schema.version > SCHEMA_VERSION:
        raise SchemaTooNew(
            f"the schema of the database (version {schema.version}) is newer than this nodeunit (version "
            f"{SCHEMA_VERSION}), which would replace its functions by older ones; upgrade nodeunit"
        )


async def _refuse_extension_out_of_reach(connection: AsyncConnection[DictRow]) -> None:
    row = await (await connection.execute(QUERIES["extension_out_of_reach"])).fetchone()
    if row is not None:
        raise DatabaseError(
            "TimescaleDB is in a schema that this login may not use; have a superuser run: "
            f"grant usage on schema {row['schema']} to {connection.info.user}"
        )


async def _grants_missing(connection: AsyncConnection[DictRow]) -> bool:
    row = await (await connection.execute(QUERIES["grants_missing"])).fetchone()
    assert row is not None
    return bool(row["missing"])


def _pending(ours: list[Migration], known: dict[str, str], *, grants: bool) -> list[Migration]:
    """What is to be applied, in order. The grants follow every repeatable file, because a new function has none yet."""
    states = {m.name: _state(m, known) for m in ours}
    repeated = grants or any(states[m.name] != "applied" for m in ours if m.phase is Phase.REPEATABLE)
    return [m for m in ours if states[m.name] != "applied" or (repeated and m.name == "migrations/grants.sql")]


def _state(migration: Migration, known: dict[str, str]) -> str:
    checksum = known.get(migration.name)
    if checksum is None:
        return "pending"
    if checksum == migration.checksum:
        return "applied"
    if migration.phase is not Phase.REPEATABLE:
        raise DatabaseError(
            f"{migration.name} was changed after it had been applied; restore its text and add a new file"
        )
    return "changed"
