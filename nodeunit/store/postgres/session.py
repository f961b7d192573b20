"""What every session is set to before its first own statement, whatever a database or a role may have set.

PostgreSQL lets both have their own defaults, and libpq takes more from the environment. This package depends on the
settings below. The search path is not among them, because the database, the role or the conninfo chooses the schema by
it.
"""

from collections.abc import Mapping

from psycopg import AsyncConnection, OperationalError
from psycopg.rows import DictRow

from nodeunit.store.postgres.queries import QUERIES

Settings = Mapping[str, str]

DEFAULTS: Settings = {
    # How values are written: the driver and the statements rely on it.
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
    # Nothing has a time limit unless a purpose sets one.
    "statement_timeout": "0",
    "lock_timeout": "0",
    "idle_in_transaction_session_timeout": "0",
    "idle_session_timeout": "0",
    "transaction_timeout": "0",
    # What is checked and reported.
    "check_function_bodies": "on",
    "client_min_messages": "notice",
    "plan_cache_mode": "auto",
}

ENCODING = "UTF8"
"""The encoding of the session and of the database: events and rows may have any text, and JSON is UTF-8."""


class OtherEncoding(OperationalError):
    """The database cannot hold all that a row, an event or a log line may contain."""


async def set_session(connection: AsyncConnection[DictRow], settings: Settings) -> None:
    """Sets a new session, with the `settings` of its purpose. Raises OtherEncoding.

    This is done after the start, because a pooling proxy refuses most settings as startup parameters.
    """
    encoding = connection.info.parameter_status("server_encoding")
    if encoding != ENCODING:
        raise OtherEncoding(
            f"the database {connection.info.dbname} is encoded in {encoding} and nodeunit needs {ENCODING}; make one "
            f"with: create database … encoding '{ENCODING}' template template0, and move what it holds with pg_dump"
        )
    wanted = {**DEFAULTS, **settings}
    await connection.execute(QUERIES["set_session"], {"names": list(wanted), "values": list(wanted.values())})
