"""Connections: how they are made from a conninfo, and what a failure means.

The conninfo is passed to libpq: several hosts, `target_session_attrs`, service files and `PG*` variables
work as in psql. Only defaults that were not given are added.
"""

import asyncio
import os
import re
import socket
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from types import MappingProxyType
from typing import Any, Self

import orjson
import psycopg
from psycopg import AsyncConnection
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.errors import Diagnostic
from psycopg.rows import DictRow, dict_row
from psycopg.types.json import set_json_dumps, set_json_loads
from psycopg_pool import AsyncConnectionPool

from nodeunit.errors import (
    BY_SQLSTATE,
    AuthenticationFailed,
    DatabaseError,
    DatabaseUnreachable,
    DeploymentRefused,
    EncodingUnfit,
    NodeunitError,
    NotMigrated,
    PoolingProxy,
)
from nodeunit.store.postgres.primary import NewestTimeline, PrimaryReplaced
from nodeunit.store.postgres.session import ENCODING, OtherEncoding, Settings, set_session

set_json_dumps(orjson.dumps)
set_json_loads(orjson.loads)

ANSWER_WITHIN_S = 6.0
"""Longer than SHORT_STATEMENTS allow the server: a server that has not answered by then never will."""


Connection = AsyncConnection[DictRow]
Pool = AsyncConnectionPool[Connection]


def shut_down(connection: Connection) -> None:
    """Ends the connection, and whatever waits for it with an OperationalError, without asking its peer."""
    if not connection.closed:
        with socket.socket(fileno=os.dup(connection.fileno())) as ours:
            ours.shutdown(socket.SHUT_RDWR)


@contextmanager
def answer_limit(connection: Connection) -> Iterator[None]:
    """Shuts the connection down when the block takes longer than ANSWER_WITHIN_S.

    TCP alone notices a peer that is gone, but not one that no longer answers: a frozen server that was replaced, a
    middlebox that forgot the connection. Cancelling would not help, because psycopg then asks the same peer to cancel
    the statement, and still waits.
    """
    timer = asyncio.get_running_loop().call_later(ANSWER_WITHIN_S, shut_down, connection)
    try:
        yield
    finally:
        timer.cancel()


class NotReplicated(psycopg.OperationalError):
    """A commit is perhaps on one server only. A failover may undo it, so the unit must not act on it."""


class DaemonConnection(AsyncConnection[DictRow]):
    """A connection that is shut down when an answer does not come.

    A commit that stops waiting for its standby is an error too; the server reports it as a success with a warning.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._replicated = True
        self.add_notice_handler(self._on_notice)

    @classmethod
    async def connect(cls, conninfo: str = "", **kwargs: Any) -> Self:
        """Connects as psycopg does, but not to a primary that is known to be replaced. Raises OperationalError."""
        newest: NewestTimeline = kwargs.pop("newest")
        replaced: PrimaryReplaced | None = None
        for _ in range(MOST_TRIES):  # each tries several hosts in a random order
            connection = await super().connect(conninfo, **kwargs)
            try:
                await set_session(connection, {**SHORT_STATEMENTS, **DURABLE_COMMITS})
                await newest.admit(connection)
            except BaseException as error:  # a cancelled task too must not leave it open
                await connection.close()
                if not isinstance(error, PrimaryReplaced):
                    raise
                replaced = error
            else:
                return connection
        assert replaced is not None
        raise replaced

    async def wait(self, *args: Any, **kwargs: Any) -> Any:
        """Waits as psycopg does, with the limit. Raises NotReplicated."""
        self._replicated = True
        with answer_limit(self):
            answer = await super().wait(*args, **kwargs)
        if not self._replicated:
            raise NotReplicated("the server stopped waiting for its standby, which may not have what was committed")
        return answer

    def _on_notice(self, notice: Diagnostic) -> None:
        # The text may be translated and the SQLSTATE is that of any warning, so the source file identifies the notice.
        if notice.source_function == "SyncRepWaitForLSN":
            self._replicated = False


DEFAULTS: dict[str, str] = {
    "connect_timeout": "5",
    # A network cut without a reset is noticed after about ten seconds instead of two hours.
    "keepalives_idle": "4",
    "keepalives_interval": "2",
    "keepalives_count": "3",
    "tcp_user_timeout": "8000",
}

LIBPQ_BALANCES = 160000
"""The first version of libpq that knows load_balance_hosts."""

SHORT_STATEMENTS = {
    "statement_timeout": "5s",
    "lock_timeout": "2s",
    "idle_in_transaction_session_timeout": "10s",
}
"""For the daemon: all its statements take less, and one that is stuck must not keep its locks."""

DURABLE_COMMITS = {"synchronous_commit": "on", "client_min_messages": "warning"}
"""For the daemon, which acts on what it commits: overrides the database and the role, and keeps the warning audible."""

MOST_TRIES = 8
"""The most attempts to connect while each one reaches a primary that was replaced."""


def conninfo(given: str, purpose: str) -> str:
    """The given conninfo with the defaults it does not set, named `nodeunit <purpose>` in pg_stat_activity.

    Raises DatabaseUnreachable when it cannot be parsed.
    """
    try:
        parts: dict[str, Any] = conninfo_to_dict(given)
    except psycopg.Error:
        # What libpq says would quote a part, which may be one of a password.
        raise DatabaseUnreachable(
            f"POSTGRES_URI (or --database) is not a connection string; {_WRITE_IT_LIKE}"
        ) from None
    if _is_torn(parts):
        raise DatabaseUnreachable(f"POSTGRES_URI (or --database) has a host or port that is none; {_WRITE_IT_LIKE}")
    for name, value in DEFAULTS.items():
        parts.setdefault(name, value)
    if parts.get("target_session_attrs") in ("read-write", "primary") and psycopg.pq.version() >= LIBPQ_BALANCES:
        # In the given order, a replaced primary that still runs would hide the new one behind it.
        parts.setdefault("load_balance_hosts", "random")
    parts.setdefault("application_name", f"nodeunit {purpose}")
    parts["client_encoding"] = ENCODING  # at the start, because the driver decodes the first answer by it
    return make_conninfo("", **parts)


_WRITE_IT_LIKE = (
    "write it like postgresql://user@host:5432/database, with %XX for each of / @ : ? # % in a password, or like "
    "host=… password='…', with quotes around what has spaces"
)


def _is_torn(parts: Mapping[str, Any]) -> bool:
    """Whether a password with special characters was cut where they are, so that a piece of it stands elsewhere."""
    ports = str(parts.get("port") or "5432").split(",")
    hosts = f"{parts.get('host') or ''}{parts.get('hostaddr') or ''}"
    return (
        not all(port.isascii() and port.isdigit() and 0 < int(port[:6]) < 65536 for port in ports if port)
        or "@" in hosts.removeprefix("@")  # an abstract socket begins with one
        or "@" in str(parts.get("dbname") or "")
    )


def with_passfile(given: str, path: str) -> tuple[str, str]:
    """The same connection with its password in a libpq password file at `path`: what may be shown, and the file's line.
    Without a password there is no line, and the connection stays as it is.
    """
    parts: dict[str, Any] = conninfo_to_dict(given)
    password = parts.pop("password", None)
    if not password:
        return given, ""
    fields = [
        parts.get(name) or other for name, other in (("host", "*"), ("port", "*"), ("dbname", "*"), ("user", "*"))
    ]
    line = ":".join(re.sub(r"([\\:])", r"\\\1", str(field)) for field in [*fields, password])
    return make_conninfo("", **parts, passfile=path), line + "\n"


async def connect(given: str, purpose: str, settings: Settings = MappingProxyType({})) -> Connection:
    """One connection in autocommit mode, its session set as `session` says, and for its purpose by `settings`.

    Raises DatabaseUnreachable, AuthenticationFailed, PoolingProxy or EncodingUnfit.
    """
    try:
        connection = await AsyncConnection.connect(conninfo(given, purpose), autocommit=True, row_factory=dict_row)
        try:
            with answer_limit(connection):
                await set_session(connection, settings)
        except BaseException:  # a cancelled task too must not leave it open
            await connection.close()
            raise
        return connection
    except psycopg.Error as error:
        raise translate_error(error, given) from error


def pool(given: str, purpose: str, *, max_size: int = 3) -> Pool:
    """The daemon's pool, not opened yet. It tries a lost server again about every two seconds, without end: the backoff
    of psycopg restarts with each request that finds the pool empty. It never uses a primary that was replaced.
    """
    newest = NewestTimeline(shut_down)
    return AsyncConnectionPool(
        conninfo(given, purpose),
        min_size=2,  # the round that a wake-up starts must not wait for a connection to be made
        max_size=max_size,
        timeout=3.0,
        reconnect_timeout=2.0,
        open=False,
        name=f"nodeunit {purpose}",
        connection_class=DaemonConnection,
        kwargs={"autocommit": True, "row_factory": dict_row, "prepare_threshold": 0, "newest": newest},
    )


@asynccontextmanager
async def translate_errors(given: str = "", *, passing: type[Exception] | tuple[()] = ()) -> AsyncIterator[None]:
    """Turns what psycopg raises in the block into the errors of this project, except `passing`."""
    try:
        yield
    except passing:
        raise
    except psycopg.Error as error:
        raise translate_error(error, given) from error


def translate_error(error: psycopg.Error, given: str = "") -> NodeunitError:
    """The error of this project for one of psycopg's, by SQLSTATE or by what libpq says about a failed connection."""
    if isinstance(error, NotReplicated):
        return DatabaseError(str(error))
    if isinstance(error, OtherEncoding):
        return EncodingUnfit(str(error))
    state = error.sqlstate
    text = _first_line(error)
    hint = error.diag.message_hint
    sentence = f"{text}; {hint}" if hint else text
    if state is None:
        return _translate_failed_connection(error, given)
    if state in BY_SQLSTATE:
        return BY_SQLSTATE[state](sentence)
    match state[:2], state:
        case "23", _ if error.diag.constraint_name:
            return DeploymentRefused(f"constraint {error.diag.constraint_name} refuses the row: {sentence}")
        case "28", _:
            return AuthenticationFailed(f"the database refuses the login: {sentence}; check POSTGRES_URI")
        case _, "42P01" | "42883" | "42703":
            return NotMigrated(f"the schema of this database is not complete ({text}); run: nodeunit migrate")
        case _, "42501":
            return DatabaseError(
                f"{sentence}; grant the login one of the roles nodeunit_unit, nodeunit_operator, nodeunit_reader"
            )
        case _, "53200" if "max_locks_per_transaction" in (hint or ""):
            return DatabaseError(
                f"{text}: a log of many chunks needs more locks than the server has room for; run nodeunit migrate, "
                "which merges short chunks; if that is not enough, set max_locks_per_transaction to 512 and restart it"
            )
        case (("08" | "57"), _):
            return DatabaseUnreachable(f"the database ended the connection: {sentence}")
    return DatabaseError(f"the database refuses ({state}): {sentence}")


def _translate_failed_connection(error: psycopg.Error, given: str) -> NodeunitError:
    where = _where(given)
    text = " ".join(str(error).split()).removeprefix("connection failed: ")
    if "unsupported startup parameter" in text:
        return PoolingProxy(
            f"the server{where} is a pooling proxy ({text}); give POSTGRES_URI the address of PostgreSQL itself"
        )
    refused = error.pgconn is not None and (error.pgconn.needs_password or error.pgconn.used_password)
    # libpq gives no SQLSTATE for a refused start, so a missing database after a good password needs its text. With
    # several hosts the last may have failed for another reason: in a failover its password is correct.
    if refused and "does not exist" not in text and "," not in where:
        return AuthenticationFailed(f"the database{where} refuses the user or the password; check POSTGRES_URI")
    return DatabaseUnreachable(f"no database answers{where}: {text}; check POSTGRES_URI and that the server runs")


def _where(given: str) -> str:
    """` at host:port` of a conninfo, without user and password."""
    try:
        parts = conninfo_to_dict(given)
    except psycopg.Error:
        return ""
    host = parts.get("host") or parts.get("hostaddr")
    return f" at {host}:{parts.get('port', 5432)}" if host else ""


def _first_line(error: psycopg.Error) -> str:
    return error.diag.message_primary or str(error).strip().partition("\n")[0]
