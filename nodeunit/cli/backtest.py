"""`nodeunit backtest`: decide recorded rounds again, as they were or under another policy."""

import asyncio
import math
from pathlib import Path
from typing import Annotated

import typer

from nodeunit.audit import backtest as audit
from nodeunit.audit import rounds_file
from nodeunit.audit.backtest import LONGEST_ROUND, TYPES, Backtest
from nodeunit.audit.source import ArchiveFiles, EventSource, LiveLog
from nodeunit.audit.wording import called, local_time
from nodeunit.cli.moments import Time
from nodeunit.cli.options import (
    Archives,
    Database,
    OutputFormat,
    Since,
    Until,
    given,
    resolve_stretch,
    without_database,
)
from nodeunit.cli.output.render import Column, Format, lines, table, write
from nodeunit.cli.output.schemas import show_document
from nodeunit.domain.policy import POLICIES
from nodeunit.domain.what_if import PolicyOverride
from nodeunit.errors import DecisionsDiffer, InputFileInvalid, UnknownPolicy, WeightInvalid
from nodeunit.store.read import event_log, lookup
from nodeunit.store.read.event_log import EventFilter

SHOWN = 20
"""The number of differences listed for people; JSON has up to a thousand."""

Weight = Annotated[float | None, typer.Option(metavar="NUMBER", help="A weight instead of the recorded one.")]


def backtest(
    database: Database = "",
    policy: Annotated[str, typer.Option("--policy", metavar="NAME", help=f"One of {', '.join(POLICIES)}.")] = "",
    cpu_weight: Weight = None,
    memory_weight: Weight = None,
    since: Since = None,
    until: Until = None,
    rounds: Annotated[
        Path | None, typer.Option("--rounds", metavar="FILE", help="Read the rounds table of this report instead.")
    ] = None,
    archive: Archives = None,
    output: OutputFormat = Format.TABLE,
) -> None:
    """Decide the recorded rounds again: as recorded, they must come out the same, or the exit code is 1.

    Under another policy or other weights it shows which decisions would have been different, and how the rows would
    have been distributed. With --rounds it reads the rounds table of a report.

    [bold]Example[/bold]: nodeunit backtest --policy resource_usage --cpu-weight 0.9 --since 1d

    [bold]Example[/bold]: nodeunit backtest --rounds report.md
    """
    override = PolicyOverride(_policy(policy), _weight("cpu", cpu_weight), _weight("memory", memory_weight))
    names: dict[str, str] = {}
    if rounds is not None:
        found = rounds_file.backtest(_text(rounds), override)
    else:
        found, names = asyncio.run(_run(override, database, archive or [], since, until))
    if output is Format.TABLE or output is Format.WIDE:
        _show(found, names, wide=output is Format.WIDE)
    elif output is Format.JSONL:
        lines(found.differences)
    else:
        show_document("backtest", found, output, [f"round/{one.position}" for one in found.differences])
    if found.differing and (rounds is not None or not found.another_policy):
        raise DecisionsDiffer(f"{found.differing} of {found.decisions} decisions come out differently")


async def _run(
    override: PolicyOverride, database: str, archive: list[Path], since: Time | None, until: Time | None
) -> tuple[Backtest, dict[str, str]]:
    if archive:
        first, last = without_database(since, "--since"), without_database(until, "--until")
        files = ArchiveFiles(archive, EventFilter(types=TYPES))
        return await audit.backtest(files, override, first, last), files.names
    conninfo = given(database)
    async with await event_log.open_log(conninfo, "backtest") as connection:
        first, last = await resolve_stretch(since, until, connection)
        names = await lookup.unit_names(connection)
    source: EventSource = LiveLog(
        conninfo,
        EventFilter(since=first and first - LONGEST_ROUND, until=last and last + LONGEST_ROUND, types=TYPES),
    )
    return await audit.backtest(source, override, first, last), names


def _show(found: Backtest, names: dict[str, str], *, wide: bool) -> None:
    if found.differences:
        table(
            [
                Column("time", lambda d: local_time(d.at) if d.at else ""),
                Column("round", lambda d: d.position, right=True),
                Column("unit", lambda d: names.get(d.unit) or d.unit),
                Column("recorded", lambda d: d.recorded),
                Column("instead", lambda d: d.instead),
            ],
            found.differences[:SHOWN],
        )
        if found.differing > SHOWN:
            write(f"the first {SHOWN} of {found.differing}")
        write("")
    if found.units:
        table(
            [
                Column("unit", lambda u: called(u.unit, names) if u.unit in names else u.unit),
                Column("claimed", lambda u: u.claims, right=True),
                Column("would have claimed", lambda u: u.claims_instead, right=True),
                Column("holds at the end", lambda u: u.held, right=True, wide=True),
                Column("would hold", lambda u: u.held_instead, right=True, wide=True),
            ],
            found.units,
            wide=wide,
        )
        split, instead = [u.claims for u in found.units], [u.claims_instead for u in found.units]
        write(f"split {_split(split)}, maximum over mean {_ratio(found.imbalance)}")
        if found.another_policy:
            write(f"instead {_split(instead)}, maximum over mean {_ratio(found.imbalance_instead)}")
    write(f"{found.reproduced} of {found.decisions} decisions reproduced")


def _split(counts: list[int]) -> str:
    shown = [str(count) for count in sorted(counts, reverse=True)[:10]]
    return " to ".join(shown) + (f" and {len(counts) - 10} more" if len(counts) > 10 else "")


def _ratio(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _policy(name: str) -> str | None:
    if name and name.lower() not in POLICIES:
        raise UnknownPolicy(f"--policy is {name!r}; it is one of {', '.join(POLICIES)}")
    return name.lower() or None


def _weight(which: str, value: float | None) -> float | None:
    if value is not None and not (math.isfinite(value) and value >= 0):
        raise WeightInvalid(f"--{which}-weight is {value}; it is a number of 0 or more")
    return value


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputFileInvalid(f"{path} cannot be read: {error}") from None
