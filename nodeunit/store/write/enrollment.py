"""Which login of the database is which unit: what the owner of the schema decides."""

import secrets
from contextlib import suppress
from typing import NamedTuple

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from nodeunit.errors import DatabaseError
from nodeunit.store.postgres.connections import Connection, translate_errors
from nodeunit.store.postgres.queries import QUERIES

_OF_THE_OWNER = ("user", "password", "passfile", "sslkey", "sslcert", "sslpassword", "service")


class Enrolled(NamedTuple):
    """A login that is one unit."""

    conninfo: str
    """How the unit connects. It has the password only if the login was made, or got a new one."""
    made: bool


async def enroll(connection: Connection, given: str, login: str, address: str, *, new_password: bool) -> Enrolled:
    """Binds `login` to `address`. A login that does not exist is made, with a random password of which the server gets
    the verifier only; `new_password` gives one to a login that exists. `given` is the owner's conninfo.

    Raises DatabaseError when the owner may not make roles or grant nodeunit_unit.
    """
    try:
        row = await (await connection.execute(QUERIES["login_exists"], {"login": login})).fetchone()
        assert row is not None
        password = verifier = None
        if new_password or not row["there"]:
            password = secrets.token_urlsafe(24)
            verifier = connection.pgconn.encrypt_password(password.encode(), login.encode(), b"scram-sha-256").decode()
        parameters = {"login": login, "verifier": verifier, "address": address}
        async with translate_errors(given, passing=psycopg.errors.InsufficientPrivilege):
            row = await (await connection.execute(QUERIES["enroll_unit"], parameters)).fetchone()
    except psycopg.errors.InsufficientPrivilege as error:
        raise DatabaseError(
            f"{connection.info.user} may not enroll units: {error.diag.message_primary}; let the owner of the database "
            "do it, with the right to make roles and to grant nodeunit_unit"
        ) from error
    assert row is not None
    parts = {key: value for key, value in conninfo_to_dict(given).items() if key not in _OF_THE_OWNER}
    parts |= {"dbname": connection.info.dbname, "user": login}
    return Enrolled(make_conninfo("", **parts, password=password), bool(row["made"]))


async def revoke(connection: Connection, login: str) -> str | None:
    """The login is no unit any more, and may not log in. Returns the address that it was bound to, or None.

    Its sessions are ended where the owner may do that; without it they may do nothing more either.
    """
    async with translate_errors():
        row = await (await connection.execute(QUERIES["revoke_unit"], {"login": login})).fetchone()
    assert row is not None
    with suppress(psycopg.errors.InsufficientPrivilege):
        await connection.execute(QUERIES["end_sessions_of"], {"login": login})
    address: str | None = row["address"]
    return address


async def require_enrolled(connection: Connection) -> None:
    """From now on a login that is not enrolled is no unit; for a fleet of before 0.2."""
    async with translate_errors():
        await connection.execute(QUERIES["require_enrolled_logins"])
