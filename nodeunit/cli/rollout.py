"""`nodeunit rollout`: how far a change is, what a row wanted before, and back to that."""

import asyncio
from datetime import timedelta
from typing import Annotated, Any

import msgspec
import typer

from nodeunit.audit.wording import local_time
from nodeunit.cli.options import Database, Deployment, NoHeaders, OutputFormat, SortBy, Timeout, given
from nodeunit.cli.output.kinds import REVISIONS, RevisionRow
from nodeunit.cli.output.listing import each, show_list
from nodeunit.cli.output.render import Format
from nodeunit.cli.rows.watching import changes
from nodeunit.errors import DeploymentUnknown, UndoRefused, WaitTimedOut
from nodeunit.plain import MOST_LINE, plain
from nodeunit.store.postgres.requirements import connect_to_schema
from nodeunit.store.read import deployments, lookup
from nodeunit.store.read import specifications as store
from nodeunit.store.read.specifications import PastSpecification, Progress
from nodeunit.store.write import deployments as write

rollout = typer.Typer(
    name="rollout",
    help="Follow a change of a row, list what it wanted before, and go back.",
    no_args_is_help=True,
    rich_markup_mode="rich",
)
MOST = 1000
"""So many specifications of a row are listed, and looked at for the last one before the present."""


@rollout.command()
def status(deployment: Deployment, database: Database = "", timeout: Timeout = "5m") -> None:  # type: ignore[assignment]
    """Wait until every program of a row runs what the row wants now. Exit 27 if not in time, with the state of each.

    [bold]Example[/bold]: nodeunit rollout status clock --timeout 2m
    """
    typer.echo(asyncio.run(_status(given(database), deployment, timeout)))


async def _status(conninfo: str, deployment: str, within: timedelta) -> str:
    async with await connect_to_schema(conninfo, "rollout") as connection:
        row = await deployments.find_row(connection, deployment)
        said, found = "", list[Progress]()
        async for _ in changes(conninfo, connection, within_s=within.total_seconds()):
            found = await store.progress(connection, row.id)
            if not found:
                raise DeploymentUnknown(f"deployment {row.label} has no program: it was deleted, or no unit is there")
            if all(one.done for one in found):
                what = "runs" if found[0].enabled else "is disabled and stopped:"
                return f"deployment/{row.label} {what} revision {found[0].revision}"
            if (now := "; ".join(map(_words, found))) != said:
                said = now
                typer.echo(plain(f"revision {found[0].revision}: {said}", MOST_LINE), err=True)
        raise WaitTimedOut(
            f"deployment {row.label} is not done within {within.total_seconds():g} s: {'; '.join(map(_words, found))}"
        )


def _words(one: Progress) -> str:
    reason = f" ({one.reason.replace('_', ' ')}{': ' + one.detail if one.detail else ''})" if one.reason else ""
    behind = f", revision {one.program_revision}" if one.state == "running" and one.program_revision else ""
    return f"{one.state}{reason}{behind}{' on ' + one.unit if one.unit else ''}"


@rollout.command()
def history(
    deployment: Deployment,
    database: Database = "",
    output: OutputFormat = Format.TABLE,
    no_headers: NoHeaders = False,
    sort_by: SortBy = "",
) -> None:
    """List what a row wanted, by its revisions, the present one at the bottom. Of env only the names are in the log.

    [bold]Example[/bold]: nodeunit rollout history clock
    """
    found = asyncio.run(_history(given(database), deployment))
    rows = [_revision(one) for one in reversed(found)]
    asyncio.run(show_list(REVISIONS, each(rows), output, headers=not no_headers, sort_by=sort_by))


async def _history(conninfo: str, deployment: str) -> list[PastSpecification]:
    async with await connect_to_schema(conninfo, "rollout") as connection:
        return await store.specifications(connection, await lookup.find_deployment(connection, deployment), MOST)


def _revision(past: PastSpecification) -> RevisionRow:
    data: dict[str, Any] = past.data
    return msgspec.convert(
        {name: data[name] for name in RevisionRow.__struct_fields__ if name in data}
        | {"revision": past.revision, "recorded_at": local_time(past.recorded_at), "event": past.type},
        RevisionRow,
    )


@rollout.command()
def undo(
    deployment: Deployment,
    database: Database = "",
    to_revision: Annotated[
        int | None, typer.Option("--to-revision", metavar="NUMBER", help="Default: the one before the present.", min=1)
    ] = None,
) -> None:
    """Give a row what it wanted before, env with its values too, as a new revision. Its programs are restarted.

    [bold]Example[/bold]: nodeunit rollout undo clock
    """
    typer.echo(asyncio.run(_undo(given(database), deployment, to_revision)))


async def _undo(conninfo: str, deployment: str, revision: int | None) -> str:
    async with await connect_to_schema(conninfo, "operator", writes=True) as connection:
        row = await deployments.find_row(connection, deployment)
        if revision is None:
            found = await store.specifications(connection, row.id, 2)
            if len(found) < 2 or found[0].type == "DeploymentCreated":
                raise UndoRefused(f"deployment {row.label} has no earlier specification in the log")
            revision = found[1].revision
        new = await write.undo(connection, row.id, revision)
        return f"deployment/{row.label} has revision {revision} again, as revision {new}"
