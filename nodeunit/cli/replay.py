"""`nodeunit replay`: which unit held what at a time, and the history of a deployment or a unit."""

import asyncio
from collections.abc import Mapping
from contextlib import aclosing
from datetime import datetime
from pathlib import Path
from typing import Annotated, NamedTuple
from uuid import UUID

import typer

from nodeunit.audit import replay as audit
from nodeunit.audit.lookup import Found, look_up
from nodeunit.audit.replay import HISTORY_WITHOUT, FleetAt
from nodeunit.audit.source import ArchiveFiles, ArchivesThenLog, EventSource, LiveLog
from nodeunit.audit.wording import called, local_time
from nodeunit.cli.moments import Time
from nodeunit.cli.options import (
    Archives,
    At,
    Database,
    DeploymentOption,
    OutputFormat,
    UnitOption,
    given,
    resolve,
    without_database,
)
from nodeunit.cli.output.event_lines import EventLines
from nodeunit.cli.output.render import Column, Format, lines, table, write
from nodeunit.cli.output.schemas import show_document
from nodeunit.domain.fleet import DeploymentState
from nodeunit.store.read import event_log, fleet, lookup
from nodeunit.store.read.event_log import EventFilter, TransactionSnapshot


def replay(
    database: Database = "",
    at: At = None,
    position: Annotated[
        int | None, typer.Option("--position", metavar="NUMBER", help="The last event that counts.", min=0)
    ] = None,
    deployment: DeploymentOption = "",
    unit: UnitOption = "",
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Continue with new events.")] = False,
    archive: Archives = None,
    live: Annotated[bool, typer.Option("--live", help="Read the live log after the archive files.")] = False,
    output: OutputFormat = Format.TABLE,
) -> None:
    """Show which unit held what at a time in the past, or now; or the history of a deployment or a unit up to then.

    With --follow it continues live, without gap or repetition. Writes nothing.

    [bold]Example[/bold]: nodeunit replay --at 2h

    [bold]Example[/bold]: nodeunit replay --deployment 044142ec --follow
    """
    if follow and (at or position is not None):
        raise typer.BadParameter(
            "a time in the past cannot be followed; leave out --at and --position", param_hint="--follow"
        )
    if follow and output in (Format.JSON, Format.YAML):
        raise typer.BadParameter("following cannot give a single document; use jsonl or table", param_hint="--output")
    if output in (Format.JSON, Format.YAML, Format.NAME) and (deployment or unit):
        raise typer.BadParameter("a history is printed event by event: use jsonl or table", param_hint="--output")
    if follow and archive and not (deployment or unit):
        raise typer.BadParameter("with --archive it needs --deployment or --unit", param_hint="--follow")
    asked = _Asked(at, position, deployment, unit, follow, output)
    try:
        if archive:
            asyncio.run(_of_files(asked, archive, database, live=live or follow))
        else:
            asyncio.run(_of_database(asked, given(database)))
    except KeyboardInterrupt:
        if not follow:
            raise


class _Asked(NamedTuple):
    """The question."""

    at: Time | None
    position: int | None
    deployment: str
    unit: str
    follow: bool
    output: Format

    @property
    def history(self) -> bool:
        """Whether a history is asked for, not the fleet at one time."""
        return bool(self.deployment or self.unit)

    def wanted(self, at: datetime | None, deployment_id: UUID | None, address: str | None) -> EventFilter:
        return EventFilter(
            at=at,
            position=self.position,
            without=HISTORY_WITHOUT,
            deployment_id=deployment_id,
            unit_address=address,
        )


async def _of_database(asked: _Asked, conninfo: str) -> None:
    shown: TransactionSnapshot | None = None
    async with await event_log.open_log(conninfo, "replay") as connection:
        at = await resolve(asked.at, connection)
        if at is not None:
            await fleet.require_recorded(connection, at, asked.position)
        if not asked.history:
            async with event_log.one_snapshot(connection) as shown:
                _show(await audit.at_moment(connection, at, asked.position), asked.output)
    if asked.history or asked.follow:
        found = await _look_up_in_database(conninfo, asked)
        wanted = asked.wanted(at, found.deployment_id, found.address)
        await _tell(LiveLog(conninfo, wanted, follow=asked.follow, after=shown), asked.output, found.names)


async def _of_files(asked: _Asked, paths: list[Path], database: str, *, live: bool) -> None:
    at = without_database(asked.at, "--at")
    everything = EventFilter(at=at, position=asked.position)
    if not asked.history:
        source: EventSource = ArchiveFiles(paths, everything)
        if live:
            source = ArchivesThenLog(source, LiveLog(given(database), everything))
        _show(await audit.fold(source, at, asked.position), asked.output)
        return
    if live:
        found = await _look_up_in_database(given(database), asked)
    else:
        found = await look_up(ArchiveFiles(paths, everything), asked.deployment, asked.unit)
    wanted = asked.wanted(at, found.deployment_id, found.address)
    source = ArchiveFiles(paths, wanted)
    if live:
        source = ArchivesThenLog(source, LiveLog(given(database), wanted, follow=asked.follow))
    await _tell(source, asked.output, found.names)


async def _look_up_in_database(conninfo: str, asked: _Asked) -> Found:
    """The deployment and unit that are meant. The order of assignments and the units are never archived."""
    async with await event_log.open_log(conninfo, "replay") as connection:
        return Found(
            await lookup.find_deployment(connection, asked.deployment) if asked.deployment else None,
            (await lookup.find_unit(connection, asked.unit)).address if asked.unit else None,
            await lookup.unit_names(connection),
        )


async def _tell(source: EventSource, output: Format, names: Mapping[str, str]) -> None:
    printed = EventLines(Format.TABLE if output is Format.WIDE else output, names)
    async with aclosing(aiter(source)) as events:
        async for event in events:
            printed.print(event)


def _show(fleet: FleetAt, output: Format) -> None:
    names = fleet.names()
    if output is Format.JSONL:
        lines(fleet.deployments)
        return
    if output in (Format.TABLE, Format.WIDE):
        write(_headline(fleet))
        table(_columns(names), fleet.deployments, wide=output is Format.WIDE)
        return
    show_document("fleet", fleet, output, [f"deployment/{one.deployment_id}" for one in fleet.deployments])


def _headline(fleet: FleetAt) -> str:
    if fleet.position is not None:
        moment = f"at position {fleet.position}"
    else:
        moment = f"at {local_time(fleet.at)}" if fleet.at else "now"
    there = [unit for unit in fleet.units if unit.is_there]
    held = sum(1 for d in fleet.deployments if d.address)
    waiting = sum(1 for d in fleet.deployments if d.waits)
    return f"{moment}: {len(there)} units, {len(fleet.deployments)} deployments, {held} held, {waiting} waiting"


def _columns(names: Mapping[str, str]) -> list[Column[DeploymentState]]:
    return [
        Column("deployment", lambda d: str(d.deployment_id)[:8]),
        Column("id", lambda d: d.deployment_id, wide=True),
        Column("package", lambda d: d.package),
        Column("type", lambda d: d.type, wide=True),
        Column("enabled", lambda d: "yes" if d.enabled else "no"),
        Column("unit", lambda d: called(d.address, names) if d.address else ""),
        Column("address", lambda d: d.address, wide=True),
        Column("version", lambda d: d.address_version, right=True),
        Column("since", lambda d: d.address_since and local_time(d.address_since)[:19]),
        Column("exactly", lambda d: d.address_since and local_time(d.address_since), wide=True),
    ]
