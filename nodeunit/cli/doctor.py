"""`nodeunit doctor`: what is misconfigured, why, and what mends it."""

import asyncio
import os
from typing import Annotated

import typer

from nodeunit.audit.doctor.examination import examine
from nodeunit.cli.options import Database, OutputFormat
from nodeunit.cli.output.render import Format, document, is_terminal, lines, write
from nodeunit.domain.finding import Examination
from nodeunit.errors import ChecksNotMade, FaultFound


def doctor(
    database: Database = "",
    machine: Annotated[
        bool | None,
        typer.Option(
            "--machine/--no-machine",
            help="Whether to check this machine too, as a unit's; if not given, when NODE_UNIT_ variables are set.",
            show_default=False,
        ),
    ] = None,
    output: OutputFormat = Format.TABLE,
) -> None:
    """Name each misconfiguration of the database, the fleet, the log and this machine, with what mends it. Only reads.

    For cron: prints nothing when all is well and nobody watches. Exit 1: something was found; 27: nothing was found,
    but some check could not be made.

    [bold]Example[/bold]: nodeunit doctor --database postgresql://postgres@127.0.0.1/fleet
    """
    given = any(name.startswith("NODE_UNIT_") for name in os.environ)
    environ = dict(os.environ) | ({"POSTGRES_URI": database} if database else {})
    found = asyncio.run(examine(database, environ if (given if machine is None else machine) else None))
    if output in (Format.JSON, Format.YAML):
        document(found, output)
    elif output is Format.JSONL:
        lines(found.findings)
    else:
        _show(found)
    _conclude(found)


def _show(found: Examination) -> None:
    for one in found.findings:
        write(f"{one.severity}: {one.name}: {one.subject}")
        write(f"  {one.cause}")
        write(f"  mend: {one.mend}")
    for missed in found.not_made:
        write(f"not checked: {missed.check}: {missed.because}")
    if found.healthy and is_terminal():
        write(f"{found.checks_made} checks, no finding")


def _conclude(found: Examination) -> None:
    """Raises FaultFound or ChecksNotMade."""
    if found.findings:
        raise FaultFound(f"doctor found: {', '.join(sorted({one.name for one in found.findings}))}")
    if found.not_made:
        raise ChecksNotMade(f"doctor could not check: {', '.join(missed.check for missed in found.not_made)}")
