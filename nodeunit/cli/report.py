"""`nodeunit report`: what happened, from the event log alone."""

import asyncio
from datetime import datetime
from enum import StrEnum
from typing import Annotated

import msgspec
import typer

from nodeunit.audit import report as audit
from nodeunit.audit.markdown import markdown
from nodeunit.cli.database import Database, given
from nodeunit.errors import InvariantViolated
from nodeunit.store.read.report import Bounds


class Output(StrEnum):
    """How a report is written."""

    MARKDOWN = "markdown"
    JSON = "json"


def _moment(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text).astimezone()
    except ValueError as error:
        raise typer.BadParameter(f"{error}; write it like 2026-01-16T15:52:50.542+08:00") from None


def report(
    database: Database = "",
    since: Annotated[
        datetime | None,
        typer.Option("--since", parser=_moment, metavar="TIME", help="Show what was recorded from this time on."),
    ] = None,
    until: Annotated[
        datetime | None,
        typer.Option("--until", parser=_moment, metavar="TIME", help="Show what was recorded before this time."),
    ] = None,
    rounds: Annotated[int, typer.Option("--rounds", min=1, help="List so many of the newest rounds.")] = 1000,
    output: Annotated[Output, typer.Option("--output", "-o", help="The format.")] = Output.MARKDOWN,
) -> None:
    """Print who claimed what and why, how fast, and whether the log obeys every rule. Exit 1 if it does not.

    The rules are checked on the whole log, also when only a part of it is shown. A TIME is ISO 8601, local if it has no
    offset.

    [bold]Example[/bold]: nodeunit report --database postgresql://postgres@127.0.0.1/fleet > report.md
    """
    found = asyncio.run(audit.read(given(database), Bounds(since, until), rounds=rounds))
    if output is Output.JSON:
        typer.echo(msgspec.json.format(msgspec.json.encode(found), indent=2))
    else:
        typer.echo(markdown(found, queries=True), nl=False)
    require_invariants(found)


def require_invariants(found: audit.Report) -> None:
    """Raises InvariantViolated when a rule is broken anywhere in the log."""
    broken = [one for one in found.invariants if one.violations]
    if broken:
        names = ", ".join(f"{one.name} ({one.violations})" for one in broken)
        raise InvariantViolated(f"the log breaks {names}; the report names the places")
