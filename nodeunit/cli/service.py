"""`nodeunit service`: a unit as a service of systemd."""

import re
import shutil
import sys
from importlib.resources import files
from pathlib import Path
from typing import Annotated

import typer

_PLAIN = re.compile(r"[A-Za-z0-9_./@+-]+")
"""What needs no quoting in a unit file."""


def service(
    user: Annotated[str, typer.Option("--user", metavar="USER", help="Whom it and its programs run as.")] = "nodeunit",
    settings: Annotated[
        Path, typer.Option("--settings", metavar="FILE", help="The settings, as nodeunit enroll writes them.")
    ] = Path("/etc/nodeunit/unit.env"),
) -> None:
    """Print the service of systemd that runs a unit on this machine, with the path of this nodeunit.

    Before its first start: useradd --system nodeunit, and nodeunit enroll NAME --settings /etc/nodeunit/unit.env.

    [bold]Example[/bold]: nodeunit service > /etc/systemd/system/nodeunit.service
    """
    command = shutil.which(sys.argv[0]) or str(Path(sys.executable).with_name("nodeunit"))
    values = {"command": str(Path(command).absolute()), "settings": str(settings.absolute()), "user": user}
    for name, value in values.items():
        if not _PLAIN.fullmatch(value):
            raise typer.BadParameter(f"the {name} {value!r} has characters that a service file cannot name plainly")
    text = files("nodeunit.cli").joinpath("nodeunit.service").read_text("utf-8")
    for name, value in values.items():
        text = text.replace(f"{{{name}}}", value)
    typer.echo(text, nl=False)
