"""Checks of the database server: what it is, and whether it is large enough for the fleet."""

from datetime import UTC, datetime

from nodeunit.domain.finding import Finding, Limits
from nodeunit.errors import (
    AuthenticationFailed,
    DatabaseUnreachable,
    EncodingUnfit,
    NodeunitError,
    NotMigrated,
    PoolingProxy,
    PostgresTooOld,
    SchemaTooNew,
)
from nodeunit.store.postgres.connections import Connection
from nodeunit.store.postgres.requirements import refuse_transaction_pooling
from nodeunit.store.read import doctor as store

_BY_ERROR: dict[type[NodeunitError], tuple[str, str]] = {
    DatabaseUnreachable: ("no_database", "start the server, or correct POSTGRES_URI; try: pg_isready"),
    AuthenticationFailed: ("login_refused", "correct user and password of POSTGRES_URI, or the server's pg_hba.conf"),
    PoolingProxy: ("pooling_proxy", "give POSTGRES_URI the address of PostgreSQL itself, or of a pool in session mode"),
    EncodingUnfit: ("encoding_unfit", "createdb -E UTF8 -T template0 NAME; move the data with pg_dump"),
    PostgresTooOld: ("postgres_too_old", "upgrade the server to PostgreSQL 15 or newer"),
    NotMigrated: ("schema_behind", "nodeunit migrate"),
    SchemaTooNew: ("schema_ahead", "install the version of nodeunit that migrated the database, or a newer one"),
}  # fmt: skip


def of_error(error: NodeunitError) -> Finding | None:
    """The finding that an error of a connection or of the schema amounts to; None for any other error."""
    known = _BY_ERROR.get(type(error))
    if known is None:
        return None
    return Finding(name=known[0], severity="error", subject="database", cause=str(error), mend=known[1])


async def pooling(connection: Connection, conninfo: str) -> list[Finding]:
    """Whether sessions keep their backend. Asked only where the backend's number shows that a proxy is between."""
    if await store.backend_pid(connection) == connection.info.backend_pid:
        return []
    try:
        await refuse_transaction_pooling(connection, conninfo)
    except PoolingProxy as error:
        finding = of_error(error)
        return [finding] if finding else []
    return []


async def kind(connection: Connection) -> list[Finding]:
    """A standby, and a server without TimescaleDB."""
    found = []
    server = await store.server(connection)
    if server.standby:
        found.append(
            Finding(
                name="standby",
                severity="error",
                subject="database",
                cause="the server is a standby: it accepts no claim and no heartbeat",
                mend="add target_session_attrs=read-write to POSTGRES_URI and name all servers, or promote this one",
            )
        )
    if server.timescaledb is None:
        there = "it is installed on the server" if server.timescaledb_available else "the server does not have it"
        found.append(
            Finding(
                name="timescaledb_missing",
                severity="warning",
                subject="database",
                cause=f"the database has no TimescaleDB ({there}): event and usage are ordinary tables, whose old part "
                "cannot be dropped as a whole",
                mend="for a new fleet: create extension timescaledb, before nodeunit migrate",
            )
        )
    return found


async def clock(connection: Connection, limits: Limits) -> list[Finding]:
    """This machine's clock against the server's, allowing for the time that the question takes."""
    before = datetime.now(UTC)
    there = await store.clock(connection)
    after = datetime.now(UTC)
    off_s = max((before - there).total_seconds(), (there - after).total_seconds(), 0.0)
    if off_s <= limits.clock_difference_s:
        return []
    side = "behind" if there > after else "ahead of"
    return [
        Finding(
            name="clock_difference",
            severity="warning",
            subject="machine",
            cause=f"the clock of this machine is {off_s:.1f} s {side} the database's: times in logs and in questions "
            "about the past do not fit together",
            mend="timedatectl set-ntp true, on this machine and on the server",
        )
    ]


async def capacity(connection: Connection, limits: Limits) -> list[Finding]:
    """Connections for every unit, and locks for a query over the whole log."""
    found = []
    size = await store.capacity(connection)
    needed = size.units * limits.connections_of_a_unit + limits.connections_of_people
    if size.connections < needed:
        found.append(
            Finding(
                name="max_connections_too_small",
                severity="warning",
                subject="database",
                cause=f"{size.units} units need {needed} connections with those of people, and the server allows "
                f"{size.connections} besides those it reserves",
                mend=f"alter system set max_connections = {needed + size.reserved}, and restart the server",
            )
        )
    if size.relations > size.locks * limits.lock_share:
        wanted = int(size.relations / limits.lock_share / max(size.locks // size.locks_per_transaction, 1)) + 1
        found.append(
            Finding(
                name="max_locks_per_transaction_too_small",
                severity="warning",
                subject="database",
                cause=f"a query over the whole log locks {size.relations} chunks and indexes, and the server has room "
                f"for {size.locks} locks in all",
                mend=f"alter system set max_locks_per_transaction = {wanted}, and restart the server; or archive",
            )
        )
    return found


async def durability(connection: Connection) -> list[Finding]:
    """Units set synchronous_commit themselves; what people and commands write depends on the server's default."""
    value = (await store.server(connection)).synchronous_commit
    if value != "off":
        return []
    return [
        Finding(
            name="synchronous_commit_off",
            severity="warning",
            subject="database",
            cause="synchronous_commit is off for this login: a crash of the server may lose rows and orders of people "
            "that were confirmed (units commit with it on)",
            mend="alter system reset synchronous_commit; and also of the database and the role, then reload",
        )
    ]
