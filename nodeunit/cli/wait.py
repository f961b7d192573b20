"""`nodeunit wait`: until rows run, are claimed or are gone."""

import asyncio
from datetime import timedelta
from enum import StrEnum
from typing import Annotated

import typer

from nodeunit.cli.options import Database, Timeout, given
from nodeunit.cli.rows.selection import All, Labels, Names, parse_labels, row_filter
from nodeunit.cli.rows.watching import changes
from nodeunit.domain.row_state import DeploymentRow
from nodeunit.errors import WaitTimedOut
from nodeunit.store.postgres.connections import Connection
from nodeunit.store.postgres.requirements import connect_to_schema
from nodeunit.store.read import deployments
from nodeunit.store.read.deployments import RowFilter, the_row


class Condition(StrEnum):
    """What can be waited for."""

    RUNNING = "running"
    CLAIMED = "claimed"
    DELETED = "deleted"

    def holds(self, row: DeploymentRow) -> bool:
        """Whether a row that exists is so."""
        if self is Condition.RUNNING:
            return row.ready >= max(1, row.wanted)
        return self is Condition.CLAIMED and (bool(row.unit_address) or (row.type == "daemon" and row.wanted > 0))


def wait(
    condition: Annotated[Condition, typer.Option("--for", help="What the rows are to be.")],
    names: Names = None,
    database: Database = "",
    labels: Labels = None,
    everything: All = False,
    timeout: Timeout = "1m",  # type: ignore[assignment]  # typer parses defaults too
) -> None:
    """Wait until every row is as wanted; also for rows that do not exist yet. Exit 27 if not in time, naming which.

    [bold]Example[/bold]: nodeunit wait clock --for running --timeout 30s
    """
    fields = parse_labels(labels)
    if bool(names) + bool(fields) + everything != 1:
        raise typer.BadParameter("give the names of rows, or -l FIELD=VALUE, or --all", param_hint="DEPLOYMENT")
    missing = asyncio.run(_wait(given(database), condition, names, fields, timeout))
    if missing:
        details = [*missing[:20], *(["and more"] if len(missing) > 20 else [])]
        raise WaitTimedOut(f"not {condition.value} within {timeout.total_seconds():g} s:", details=details)


async def _wait(
    conninfo: str, condition: Condition, names: list[str] | None, fields: dict[str, str], within: timedelta
) -> list[str]:
    async with await connect_to_schema(conninfo, "wait") as connection:
        known: dict[str, RowFilter] = {}
        missing: list[str] = []
        async for _ in changes(conninfo, connection, within_s=within.total_seconds()):
            if names:
                missing = await _missing_of(connection, condition, names, known)
            else:
                missing = await _missing_among(connection, condition, await row_filter(connection, None, fields))
            if not missing:
                break
        return missing


async def _missing_of(
    connection: Connection, condition: Condition, names: list[str], known: dict[str, RowFilter]
) -> list[str]:
    """Of these rows, those that are not as wanted. A row that was found is the one that is meant from then on."""
    missing = []
    for name in names:
        if name not in known and (found := await deployments.find_rows(connection, name)):
            known[name] = RowFilter(ids=[the_row(name, found).id])
        rows = [row async for row in deployments.rows(connection, known[name])] if name in known else []
        if condition is Condition.DELETED:
            missing += [_said(row) for row in rows]
        elif not rows:
            missing.append(f"{name}: no such deployment")
        else:
            missing += [_said(row) for row in rows if not condition.holds(row)]
    return missing


async def _missing_among(connection: Connection, condition: Condition, wanted: RowFilter) -> list[str]:
    rows = [row async for row in deployments.rows(connection, wanted)]
    if not rows and condition is not Condition.DELETED:
        return ["no deployment is selected"]
    return [_said(row) for row in rows if not condition.holds(row)]


def _said(row: DeploymentRow) -> str:
    reason = f" ({row.reason.replace('_', ' ')})" if row.reason else ""
    return f"{row.label}: {row.state}{reason}, {row.ready}/{row.wanted} ready"
