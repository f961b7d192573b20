"""`nodeunit enroll`: make a login of the database one unit."""

import asyncio
import os
import secrets
from pathlib import Path
from typing import Annotated

import typer

from nodeunit.cli.options import Database, given
from nodeunit.errors import InputFileInvalid, UnitUnknown
from nodeunit.identity import address_of
from nodeunit.store.postgres.requirements import connect_to_schema
from nodeunit.store.write import enrollment


def enroll(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The unit's NODE_UNIT_NAME.", show_default=False)],
    database: Database = "",
    login: Annotated[str, typer.Option("--login", metavar="LOGIN", help="The login; default: NAME.")] = "",
    address: Annotated[
        str, typer.Option("--address", metavar="ADDRESS", help="Of a unit that exists, as nodeunit address prints it.")
    ] = "",
    settings: Annotated[
        Path | None,
        typer.Option("--settings", metavar="FILE", help="Write the settings to a new file that only you can read."),
    ] = None,
    new_password: Annotated[
        bool, typer.Option("--new-password", help="Give the login a new password; its open sessions stay.")
    ] = False,
    revoke: Annotated[bool, typer.Option("--revoke", help="The login is no unit any more, at once.")] = False,
    only_enrolled: Annotated[
        bool, typer.Option("--only-enrolled", help="From now on a login that is not enrolled is no unit.")
    ] = False,
) -> None:
    """Make a login of the database one unit and no other, and print the settings of that unit.

    The login is made if it does not exist. The identity comes from NODE_UNIT_PASSWORD, which is made if it is not set.
    Needs the owner of the database, who may make roles.

    [bold]Example[/bold]: nodeunit enroll node-unit-1 --settings node-unit-1.env
    """
    login = login or name
    if revoke:
        typer.echo(asyncio.run(_revoke(given(database), login)))
        return
    password = os.environ.pop("NODE_UNIT_PASSWORD", "")
    lines = [f"NODE_UNIT_NAME={name}"]
    if not address and not password:
        password = secrets.token_urlsafe(32)
        lines.append(f"NODE_UNIT_PASSWORD={password}")
    address = address or address_of(name, password)
    file = _new_file(settings) if settings is not None else None
    enrolled = asyncio.run(_enroll(given(database), login, address, new_password, only_enrolled))
    lines.append(f"POSTGRES_URI={enrolled.conninfo}")
    if file is None:
        typer.echo("\n".join(lines))
    else:
        with os.fdopen(file, "w", encoding="utf-8") as opened:
            opened.write("\n".join(lines) + "\n")
    typer.echo(f"login {login} {'made' if enrolled.made else 'enrolled'} for the unit {address}", err=True)


async def _enroll(
    conninfo: str, login: str, address: str, new_password: bool, only_enrolled: bool
) -> enrollment.Enrolled:
    async with await connect_to_schema(conninfo, "owner", writes=True) as connection:
        enrolled = await enrollment.enroll(connection, conninfo, login, address, new_password=new_password)
        if only_enrolled:
            await enrollment.require_enrolled(connection)
    return enrolled


async def _revoke(conninfo: str, login: str) -> str:
    async with await connect_to_schema(conninfo, "owner", writes=True) as connection:
        address = await enrollment.revoke(connection, login)
    if address is None:
        raise UnitUnknown(f"no login {login} is enrolled; what it was granted as a unit is taken back all the same")
    return f"login {login} revoked; the unit {address} is lost when its lease ends"


def _new_file(path: Path) -> int:
    try:
        return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise InputFileInvalid(f"{path} cannot be made: {error.strerror}; name a file that does not exist") from None
