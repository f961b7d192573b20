"""`nodeunit address`: the address that a name and a password give."""

import os
from typing import Annotated

import typer

from nodeunit.errors import SettingInvalid
from nodeunit.identity import address_of
from nodeunit.settings import Settings


def address(
    name: Annotated[str, typer.Option("--name", help="The unit's name; default: NODE_UNIT_NAME or host name.")] = "",
) -> None:
    """Print the address of a unit.

    The password is read from NODE_UNIT_PASSWORD, never from the command line.

    [bold]Example[/bold]: NODE_UNIT_PASSWORD=node-unit-1 nodeunit address --name node-unit-1
    """
    if not os.environ.get("NODE_UNIT_PASSWORD"):
        raise SettingInvalid("NODE_UNIT_PASSWORD is not set, and without it each start has a new identity; set it")
    settings = Settings.from_environment(os.environ)
    typer.echo(address_of(name or settings.name, settings.password))
