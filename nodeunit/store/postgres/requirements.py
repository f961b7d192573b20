"""The requirements on a database: a recent server, reached directly, with this code's schema."""

import asyncio
import logging
from types import MappingProxyType

from psycopg import AsyncConnection
from psycopg.errors import InsufficientPrivilege, ProtocolViolation
from psycopg.rows import DictRow

from nodeunit.errors import PoolingProxy, PostgresTooOld
from nodeunit.store.postgres.compatibility import refuse_unfit_schema
from nodeunit.store.postgres.connections import connect, translate_errors
from nodeunit.store.postgres.queries import QUERIES
from nodeunit.store.postgres.session import Settings

log = logging.getLogger(__name__)

OLDEST = 15
"""The oldest PostgreSQL major version that is supported."""

BACKEND_WITHIN_S = 3.0
"""A session with a backend of its own gets an answer at once."""


async def require(conninfo: str, *, timescaledb: bool = False) -> None:
    """Connects as a unit does, and checks. With `timescaledb` a database without it is accepted with a warning, and so
    is a login that may act for other units too.

    Raises what `connect` raises, PostgresTooOld, PoolingProxy, NotMigrated and SchemaTooNew.
    """
    async with await connect(conninfo, "check") as connection, translate_errors(conninfo):
        server = await refuse_old_server(connection)
        if connection.info.backend_pid != server["backend_pid"]:
            await refuse_transaction_pooling(connection, conninfo)
        await refuse_unfit_schema(connection, writes=True)
        if timescaledb:
            if not server["timescaledb"]:
                log.warning("the database has no TimescaleDB: event and usage are ordinary tables")
            await _warn_of_a_login_of_many(connection)


async def _warn_of_a_login_of_many(connection: AsyncConnection[DictRow]) -> None:
    try:
        row = await (await connection.execute(QUERIES["login_binding"])).fetchone()
    except InsufficientPrivilege:
        return  # joining says what is missing
    binding = "" if row is None else row["binding"]
    if binding in ("all", "unenrolled"):
        log.warning(
            "the login %s may act for %s: that is fine for a first try; give each unit a login of its own with "
            "nodeunit enroll",
            connection.info.user,
            "every unit, and own all rows" if binding == "all" else "every unit that is not enrolled",
        )


async def connect_to_schema(
    conninfo: str, purpose: str, settings: Settings = MappingProxyType({}), *, writes: bool = False
) -> AsyncConnection[DictRow]:
    """Connects for a command. Raises what `connect` raises, NotMigrated and SchemaTooNew."""
    connection = await connect(conninfo, purpose, settings)
    try:
        async with translate_errors(conninfo):
            await refuse_unfit_schema(connection, writes=writes)
    except BaseException:
        await connection.close()
        raise
    return connection


async def refuse_old_server(connection: AsyncConnection[DictRow]) -> DictRow:
    """The server's answer about itself. Raises PostgresTooOld."""
    server = await (await connection.execute(QUERIES["server"])).fetchone()
    assert server is not None
    if server["version_num"] < OLDEST * 10_000:
        raise PostgresTooOld(
            f"PostgreSQL {server['version']} is too old: nodeunit needs {OLDEST} or newer; upgrade the server"
        )
    return server


async def refuse_transaction_pooling(connection: AsyncConnection[DictRow], conninfo: str) -> None:
    """Called behind a proxy, which invents the backend pid. Checks that each session keeps its backend.

    A second connection takes a backend and keeps it in a transaction. If ours has another backend afterwards, or gets
    none meanwhile, backends are shared, and LISTEN would be lost silently.
    """
    before = await _backend_pid(connection)
    try:
        async with await connect(conninfo, "check") as other, other.transaction():
            await _backend_pid(other)
            asking = asyncio.create_task(_backend_pid(connection))
            _, waiting = await asyncio.wait([asking], timeout=BACKEND_WITHIN_S)
        shared = await asking != before or bool(waiting)
    except ProtocolViolation:
        shared = True  # transactions are refused: one backend for each statement
    if shared:
        raise PoolingProxy(
            "POSTGRES_URI leads through a transaction-pooling proxy, which loses notifications; "
            "give the address of PostgreSQL itself, or of a pool in session mode"
        )


async def _backend_pid(connection: AsyncConnection[DictRow]) -> int:
    row = await (await connection.execute(QUERIES["backend_pid"])).fetchone()
    assert row is not None
    return int(row["backend_pid"])
