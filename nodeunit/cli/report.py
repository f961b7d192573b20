"""`nodeunit report`: what happened, from the event log alone."""

import asyncio
from enum import StrEnum
from typing import Annotated

import typer

from nodeunit.audit import report as audit
from nodeunit.audit.markdown import markdown
from nodeunit.cli.moments import Time
from nodeunit.cli.options import Database, Since, Until, given, resolve_stretch
from nodeunit.cli.output.render import Format
from nodeunit.cli.output.schemas import show_document
from nodeunit.errors import InvariantViolated
from nodeunit.store.postgres.requirements import connect_to_schema
from nodeunit.store.read.report import Bounds


class ReportFormat(StrEnum):
    """How a report is written."""

    MARKDOWN = "markdown"
    JSON = "json"
    YAML = "yaml"
    JSONL = "jsonl"


def report(
    database: Database = "",
    since: Since = None,
    until: Until = None,
    rounds: Annotated[int, typer.Option("--rounds", min=1, help="The number of newest rounds to list.")] = 1000,
    output: Annotated[ReportFormat, typer.Option("--output", "-o", help="The format.")] = ReportFormat.MARKDOWN,
) -> None:
    """Print which unit claimed what and why, how fast, and whether the log obeys every rule. Exit 1 if it does not.

    The rules are checked on the whole log, also when only a part of it is shown.

    [bold]Example[/bold]: nodeunit report --since 2h > report.md
    """
    found = asyncio.run(_read(given(database), since, until, rounds))
    if output is not ReportFormat.MARKDOWN:
        show_document("report", found, Format(output.value))
    else:
        typer.echo(markdown(found, queries=True), nl=False)
    require_invariants(found)


async def _read(conninfo: str, since: Time | None, until: Time | None, rounds: int) -> audit.Report:
    async with await connect_to_schema(conninfo, "report") as connection:
        bounds = Bounds(*await resolve_stretch(since, until, connection))
    return await audit.read(conninfo, bounds, rounds=rounds)


def require_invariants(found: audit.Report) -> None:
    """Raises InvariantViolated if a rule is broken anywhere in the log."""
    broken = [one for one in found.invariants if one.violations]
    if broken:
        names = ", ".join(f"{one.name} ({one.violations})" for one in broken)
        raise InvariantViolated(f"the log breaks {names}; the report names the places")
