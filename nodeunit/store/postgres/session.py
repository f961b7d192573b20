"""What every session is set to before its first statement of its own, whatever a database or a role may have set.

PostgreSQL lets both have defaults of their own, and libpq takes more from the environment. What reads or writes here
depends on those below. The search path is not among them, because it says which schema is meant: it is the database's,
the role's or the conninfo's.
"""

from collections.abc import Mapping

from psycopg import AsyncConnection, OperationalError
from psycopg.rows import DictRow

from nodeunit.store.postgres.queries import QUERIES

Settings = Mapping[str, str]

DEFAULTS: Settings = {
    # How values are written, which both the driver and the statements take for granted.
    "DateStyle": "ISO, YMD",
    "IntervalStyle": "postgres",
    "TimeZone": "UTC",
    "bytea_output": "hex",
    "extra_float_digits": "1",
    "standard_conforming_strings": "on",
    "array_nulls": "on",
    "transform_null_equals": "off",
    "quote_all_identifiers": "off",
    # What a transaction is.
    "default_transaction_isolation": "read committed",
    "default_transaction_read_only": "off",
    "default_transaction_deferrable": "off",
    # How long anything may take: for ever, unless a purpose says otherwise.
    "statement_timeout": "0",
    "lock_timeout": "0",
    "idle_in_transaction_session_timeout": "0",
    "idle_session_timeout": "0",
    "transaction_timeout": "0",
    # What is checked and said.
    "check_function_bodies": "on",
    "client_min_messages": "notice",
    "plan_cache_mode": "auto",
}

ENCODING = "UTF8"
"""Of the session, and of the database: events and rows carry any text, and JSON is UTF-8."""


class OtherEncoding(OperationalError):
    """The database cannot hold all that a row, an event or a log line may contain."""


async def set_session(connection: AsyncConnection[DictRow], settings: Settings) -> None:
    """Sets a new session, for a purpose with `settings` of its own. Raises OtherEncoding.

    After the start, because a pooling proxy refuses most settings as startup parameters.
    """
    encoding = connection.info.parameter_status("server_encoding")
    if encoding != ENCODING:
        raise OtherEncoding(
            f"the database {connection.info.dbname} is encoded in {encoding} and nodeunit needs {ENCODING}; make one "
            f"with: create database … encoding '{ENCODING}' template template0, and move what it holds with pg_dump"
        )
    wanted = {**DEFAULTS, **settings}
    await connection.execute(QUERIES["set_session"], {"names": list(wanted), "values": list(wanted.values())})
