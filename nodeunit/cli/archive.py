"""`nodeunit archive`: move old events to a file; the log continues without them."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from nodeunit.audit import archive as audit
from nodeunit.audit.wording import local_time
from nodeunit.cli.moments import Time, parse_time
from nodeunit.cli.options import Database, Until, given
from nodeunit.store.read.archive import RolledUp, archiving


def archive(
    database: Database = "",
    until: Until = None,
    file: Annotated[
        Path | None, typer.Option("--file", metavar="FILE", help="The file to write, such as 2026-01.jsonl.gz.")
    ] = None,
    usage_until: Annotated[
        Time | None,
        typer.Option(
            "--usage-until",
            metavar="TIME",
            parser=parse_time,
            help="Replace usage samples before this time by one row per hour.",
        ),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be archived.")] = False,
) -> None:
    """Move old events to a compressed file, and roll old usage samples up.

    The file is checked before anything is dropped, and snapshots of the state stay in the log, so that replay, reports
    and projections work from what remains. An interrupted archive can be run again. On hypertables whole chunks are
    archived: the cut is the end of the last chunk before TIME.

    [bold]Example[/bold]: nodeunit archive --until 2026-02-01 --file 2026-01.jsonl.gz --usage-until 30d
    """
    if (until is None) != (file is None):
        raise typer.BadParameter("--until and --file belong together", param_hint="--until/--file")
    if until is None and usage_until is None:
        raise typer.BadParameter("give --until TIME --file FILE, or --usage-until TIME, or all of them")
    if until is not None and file is not None:
        _archive(given(database), until, file, dry_run=dry_run)
    if usage_until is not None:
        rolled_up = asyncio.run(_roll_up(given(database), usage_until, dry_run=dry_run))
        typer.echo(_told_of_usage(rolled_up, dry_run=dry_run))


def _archive(conninfo: str, until: Time, file: Path, *, dry_run: bool) -> None:
    moment = until.at or until.ago
    done = asyncio.run(audit.plan(conninfo, moment) if dry_run else audit.archive(conninfo, moment, file))
    if (extent := done.extent) is None:
        nothing = "no whole chunk of events" if done.whole_chunks else "no event but snapshots"
        typer.echo(f"nothing to archive: {nothing} lies before {local_time(done.requested, 'seconds')}")
        return
    if extent.before < done.requested and not done.already:
        why = "chunks go as a whole" if done.whole_chunks else "transactions go as a whole"
        typer.echo(f"the cut is at {local_time(extent.before, 'seconds')} because {why}")
    events = f"{extent.events} events, positions {extent.first_position} to {extent.last_position}"
    if dry_run:
        typer.echo(f"would archive {events}")
    elif done.already:
        typer.echo(f"{file} has them already: {events}, all before {local_time(extent.before, 'seconds')}")
    else:
        typer.echo(f"archived {events}: {file}, {done.bytes / 1024**2:.1f} MiB, SHA-256 {done.sha256}")
        typer.echo(f"{done.snapshots} streams continue, each from a snapshot")


async def _roll_up(conninfo: str, until: Time, *, dry_run: bool) -> RolledUp:
    async with archiving(conninfo) as archiver:
        moment = archiver.moment(until.at or until.ago)
        return await archiver.usage_extent(moment) if dry_run else await archiver.roll_up(moment)


def _told_of_usage(rolled_up: RolledUp, *, dry_run: bool) -> str:
    if rolled_up.cut is None:
        return "no usage samples to roll up"
    if dry_run:
        return f"would roll up {rolled_up.samples} usage samples, all before {local_time(rolled_up.cut, 'seconds')}"
    return (
        f"rolled up {rolled_up.samples} usage samples, all before {local_time(rolled_up.cut, 'seconds')}, "
        f"into {rolled_up.hours} rows of usage_hourly"
    )
