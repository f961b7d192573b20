"""What `nodeunit doctor` asks the database. Each question is one statement that reads; the session bounds its time."""

from datetime import datetime
from typing import Any, LiteralString, NamedTuple

from nodeunit.store.postgres.connections import Connection, answer_limit, connect, translate_errors
from nodeunit.store.postgres.queries import QUERIES

SESSION = {"statement_timeout": "5s", "lock_timeout": "2s", "default_transaction_read_only": "on"}
"""No check takes longer, waits for a lock, or writes."""


class Server(NamedTuple):
    """What the server is."""

    standby: bool
    timescaledb: str | None
    """The version of the extension in this database."""
    timescaledb_available: bool
    synchronous_commit: str


class Capacity(NamedTuple):
    """How large the server is, and what the fleet needs of it."""

    units: int
    connections: int
    """For others than superusers."""
    reserved: int
    locks: int
    """In the table of locks that all sessions share."""
    locks_per_transaction: int
    relations: int
    """Chunks of the log with their indexes."""


class Login(NamedTuple):
    """What the login of this session may do."""

    login: str
    schema_there: bool
    owner: bool
    roles: list[str]


class IdleTransaction(NamedTuple):
    """A session that does nothing in an open transaction."""

    pid: int
    database: str | None
    user: str | None
    application: str | None
    open_s: float


class DeafUnit(NamedTuple):
    """A unit that said it had been deaf."""

    name: str
    times: int


class UnitBack(NamedTuple):
    """A unit that was declared lost while its supervisor lived."""

    name: str
    times: int
    away_s: float
    """The longest time from its loss to its return, in seconds."""
    ttl_s: float


async def open_session(conninfo: str) -> Connection:
    """Raises what `connect` raises."""
    return await connect(conninfo, "doctor", SESSION)


async def backend_pid(connection: Connection) -> int:
    """The backend that answers this statement."""
    return int((await _one(connection, "backend_pid"))["backend_pid"])


async def server(connection: Connection) -> Server:
    return Server(**await _one(connection, "doctor_server"))


async def clock(connection: Connection) -> datetime:
    """The server's clock."""
    at: datetime = (await _one(connection, "doctor_clock"))["at"]
    return at


async def capacity(connection: Connection) -> Capacity:
    return Capacity(**await _one(connection, "doctor_capacity"))


async def login(connection: Connection) -> Login:
    return Login(**await _one(connection, "doctor_login"))


async def login_binding(connection: Connection) -> str:
    """`one`, `all`, `unenrolled` or `none`, as the function of this name says."""
    return str((await _one(connection, "login_binding"))["binding"])


async def rows_that_differ(connection: Connection, projection: LiteralString) -> list[str]:
    """The keys of the rows in which a live table is not the fold of the log."""
    return [row["key"] for row in await _all(connection, f"{projection}_differences")]


async def age_of_log(connection: Connection) -> float | None:
    """In seconds; None for an empty log."""
    age: float | None = (await _one(connection, "doctor_log_age"))["age_s"]
    return age


async def idle_transactions(connection: Connection, open_for_s: float) -> list[IdleTransaction]:
    found = await _all(connection, "doctor_idle_transactions", open_for_s=open_for_s)
    return [IdleTransaction(**row) for row in found]


async def deaf_units(connection: Connection, within_s: float) -> list[DeafUnit]:
    return [DeafUnit(**row) for row in await _all(connection, "doctor_deaf_units", within_s=within_s)]


async def units_back_from_loss(connection: Connection, within_s: float) -> list[UnitBack]:
    return [UnitBack(**row) for row in await _all(connection, "doctor_units_back", within_s=within_s)]


async def wanted_packages(connection: Connection) -> list[tuple[str, str]]:
    """Runtime and `name@version` of every enabled row that is installed from a registry, each once."""
    return [(row["runtime"], row["package"]) for row in await _all(connection, "doctor_wanted_packages")]


async def _all(connection: Connection, query: LiteralString, **parameters: Any) -> list[dict[str, Any]]:
    async with translate_errors():
        with answer_limit(connection):
            return await (await connection.execute(QUERIES[query], parameters or None)).fetchall()


async def _one(connection: Connection, query: LiteralString) -> dict[str, Any]:
    (row,) = await _all(connection, query)
    return row
