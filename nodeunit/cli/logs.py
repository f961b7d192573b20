"""`nodeunit logs`: what programs print, wherever they run."""

import asyncio
import sys
from contextlib import aclosing, nullcontext
from pathlib import Path
from typing import Annotated, BinaryIO

import typer

from nodeunit.audit.program_logs import ProgramLogs, WantedLog
from nodeunit.audit.wording import called
from nodeunit.cli.moments import FORMS, Time, parse_time
from nodeunit.cli.options import Database, UnitOption, given, resolve
from nodeunit.cli.output.log_lines import LogLines
from nodeunit.domain.program_log import SLICE_BYTES, LogQuery
from nodeunit.errors import InputFileInvalid, LogUnavailable
from nodeunit.store.postgres.connections import Connection
from nodeunit.store.postgres.requirements import connect_to_schema
from nodeunit.store.read import lookup

DEFAULT_TAIL = 100
MOST_TAIL = 100_000


def logs(
    rows: Annotated[
        list[str],
        typer.Argument(
            metavar="ROW…", help="The ids of deployments, or their beginnings, at most 64.", show_default=False
        ),
    ],
    database: Database = "",
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Go on with new lines, across restarts and takeovers.")
    ] = False,
    tail: Annotated[
        int | None,
        typer.Option("--tail", metavar="N", min=0, max=MOST_TAIL, help=f"The last N lines [{DEFAULT_TAIL}]."),
    ] = None,
    since: Annotated[
        Time | None,
        typer.Option("--since", metavar="TIME", parser=parse_time, help=f"What was printed since. TIME: {FORMS}."),
    ] = None,
    unit: UnitOption = "",
    previous: Annotated[bool, typer.Option("--previous", help="The run before the newest.")] = False,
    offset: Annotated[
        int | None,
        typer.Option("--offset", metavar="BYTE", help="The bytes from this position on; negative: from the end."),
    ] = None,
    count: Annotated[
        int, typer.Option("--bytes", metavar="N", min=0, max=SLICE_BYTES, help="With --offset: how many bytes.")
    ] = SLICE_BYTES,
    download: Annotated[
        Path | None, typer.Option("--download", metavar="FILE", help="Write all that is kept of one log into a file.")
    ] = None,
    prefix: Annotated[bool, typer.Option("--prefix/--no-prefix", help="Row and unit before each line.")] = True,
) -> None:
    """Print what programs print, each line with its row and unit, from any machine that reaches the database.

    Where runs begin and end is said on standard error. A daemon row has a log on every unit; choose with --unit.
    Without -f it is what there is now.

    [bold]Example[/bold]: nodeunit logs 044142ec 7d2f -f --since 10m
    """
    beginnings = [tail is not None, since is not None, previous, offset is not None, download is not None]
    if sum(beginnings) > 1:
        raise typer.BadParameter("give one of --tail, --since, --previous, --offset and --download")
    exact = offset is not None or download is not None
    if exact and (follow or len(rows) > 1):
        raise typer.BadParameter("--offset and --download read one row, without -f")
    if follow and previous:
        raise typer.BadParameter("the run before the newest has ended; leave out -f")
    if not any(beginnings) or since is not None:
        tail = DEFAULT_TAIL  # until the time is known
    query = LogQuery(
        tail=tail,
        first_byte=0 if download else offset,
        bytes=count if offset is not None else None,
        previous=previous,
        follow=follow,
    )
    try:
        if exact:
            _copy(given(database), rows[0], unit, query, download)
        else:
            asyncio.run(_print(given(database), rows, unit, query, since, prefix=prefix))
    except KeyboardInterrupt:
        if not follow:
            raise


async def _look_up(connection: Connection, rows: list[str], unit: str) -> tuple[list[WantedLog], dict[str, str]]:
    address = (await lookup.find_unit(connection, unit)).address if unit else ""
    ids = [await lookup.find_deployment(connection, row) for row in rows]
    return [WantedLog(one, address) for one in dict.fromkeys(ids)], await lookup.unit_names(connection)


async def _print(
    conninfo: str, rows: list[str], unit: str, query: LogQuery, since: Time | None, *, prefix: bool
) -> None:
    async with await connect_to_schema(conninfo, "logs") as connection:
        wanted, names = await _look_up(connection, rows, unit)
        query = query.beginning_at(await resolve(since, connection))
    printed = LogLines(lambda address: called(address, names), prefix=prefix)
    logs = ProgramLogs(conninfo, wanted, query, lambda log, unit, what: printed.say(log.deployment_id, unit, what))
    async with aclosing(logs.pieces()) as pieces:
        async for received in pieces:
            if received.unit_address not in names:  # it has joined since
                async with await connect_to_schema(conninfo, "logs") as connection:
                    names |= await lookup.unit_names(connection)
            printed.print(received)
    printed.finish()


def _copy(conninfo: str, row: str, unit: str, query: LogQuery, target: Path | None) -> None:
    """Copies bytes as they are, and says which."""
    try:
        with target.open("wb") if target else nullcontext(sys.stdout.buffer) as file:
            asyncio.run(_copy_to(file, conninfo, row, unit, query))
    except OSError as error:
        raise InputFileInvalid(f"{target or 'standard output'} cannot be written: {error.strerror}") from None


async def _copy_to(file: BinaryIO, conninfo: str, row: str, unit: str, query: LogQuery) -> None:
    async with await connect_to_schema(conninfo, "logs") as connection:
        wanted, names = await _look_up(connection, [row], unit)
    first, end, source = None, 0, ""
    async with aclosing(ProgramLogs(conninfo, wanted, query, lambda _log, _unit, what: _say(what)).pieces()) as pieces:
        async for received in pieces:
            source = source or received.unit_address
            if received.unit_address != source:
                raise LogUnavailable(f"several units have a log of {row}; choose one with --unit")
            file.write(received.piece.data)
            first = received.piece.position if first is None else first
            end = received.piece.position + len(received.piece.data)
    file.flush()
    _say(f"{called(source, names)}: bytes {first or 0} to {end}" if source else "nothing is there")


def _say(what: str) -> None:
    sys.stderr.write(f"-- {what}\n")
