"""`nodeunit usage`: what units and their programs used, as numbers, block characters or a picture."""

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Annotated, NamedTuple

import typer

from nodeunit.audit.wording import local_time
from nodeunit.cli.moments import FORMS, Time, parse_length, parse_time
from nodeunit.cli.options import Database, DeploymentOption, OutputFormat, UnitOption, Until, given, resolve
from nodeunit.cli.output import usage_plot
from nodeunit.cli.output.blocks import Values, chart, sparkline
from nodeunit.cli.output.render import Column, Format, table, write
from nodeunit.cli.output.schemas import show_items
from nodeunit.store.postgres.requirements import connect_to_schema
from nodeunit.store.read import lookup
from nodeunit.store.read.deployments import find_rows, the_row
from nodeunit.store.read.usage import UsagePoint, UsageWindow, of_deployments, of_units


class Series(NamedTuple):
    """The usage of one unit, or of one program on one unit, over the whole window."""

    points: Sequence[UsagePoint]
    cpu: Values
    """Averages by bucket, from the first bucket of all series to the last; CPU in percent of the whole machine."""
    memory: Values

    @property
    def name(self) -> str:
        """The unit, or the deployment."""
        return str(self.points[0].deployment_id or self.points[0].unit)

    def cpu_avg(self) -> float:
        return sum(p.cpu_percent_avg * p.samples for p in self.points) / sum(p.samples for p in self.points)

    def memory_avg(self) -> float:
        return sum(p.memory_mb_avg * p.samples for p in self.points) / sum(p.samples for p in self.points)


def usage(
    database: Database = "",
    unit: UnitOption = "",
    deployment: DeploymentOption = "",
    since: Annotated[
        Time,
        typer.Option(
            "--since", metavar="TIME", parser=parse_time, help=f"From this time on. TIME: {FORMS}.", show_default="1h"
        ),
    ] = "1h",  # type: ignore[assignment]  # typer parses defaults too
    until: Until = None,
    bucket: Annotated[
        timedelta,
        typer.Option("--bucket", metavar="LENGTH", parser=parse_length, help="Averaging period.", show_default="1m"),
    ] = "1m",  # type: ignore[assignment]
    output: OutputFormat = Format.TABLE,
    png: Annotated[
        Path | None,
        typer.Option("--png", metavar="FILE", help="Also draw a picture; needs the extra nodeunit\\[plot]."),
    ] = None,
) -> None:
    """Show CPU (all cores busy is 100 %) and resident memory of units, each with all its programs, over time.

    The small bars begin at 0, and the highest bar of a column is its largest value. A single series is drawn large.

    [bold]Example[/bold]: nodeunit usage --since 30m

    [bold]Example[/bold]: nodeunit usage --unit node-unit-1 --since 2h --bucket 5m --png usage.png
    """
    if png is not None:
        usage_plot.require()
    points, window = asyncio.run(_read(given(database), unit, deployment, since, until, bucket))
    series = gathered(points, window.bucket)
    if png is not None:
        usage_plot.draw(png, [(each.name, each.points) for each in series])
    if output in (Format.TABLE, Format.WIDE):
        _show(series, window, wide=output is Format.WIDE)
    else:
        names = {
            f"deployment/{one.deployment_id}" if one.deployment_id else f"unit/{one.unit_address}" for one in points
        }
        show_items("usage", points, output, sorted(names))


async def _read(
    conninfo: str, unit: str, deployment: str, since: Time, until: Time | None, bucket: timedelta
) -> tuple[list[UsagePoint], UsageWindow]:
    async with await connect_to_schema(conninfo, "usage") as connection:
        address = (await lookup.find_unit(connection, unit)).address if unit else None
        now = await lookup.now(connection)
        window = UsageWindow(await resolve(since, connection) or now, await resolve(until, connection) or now, bucket)
        if deployment:
            # The samples of a deleted row are found by the beginning of its id.
            rows = await find_rows(connection, deployment)
            deployment = str(the_row(deployment, rows).id) if rows else deployment
            found = await of_deployments(connection, window, unit_address=address, deployment=deployment)
        else:
            found = await of_units(connection, window, address)
            if address is not None:
                found += await of_deployments(connection, window, unit_address=address)
    if deployment and not found and not rows:
        the_row(deployment, rows)
    return found, window


def gathered(points: Sequence[UsagePoint], bucket: timedelta) -> list[Series]:
    """The points of each unit and program, in common buckets."""
    if not points:
        return []
    first = min(point.bucket_start for point in points)
    length = (max(point.bucket_start for point in points) - first) // bucket + 1
    by_name: dict[tuple[object, object], list[UsagePoint]] = defaultdict(list)
    for point in points:
        by_name[point.unit_address, point.deployment_id].append(point)
    series = []
    for group in by_name.values():
        cpu, memory = [None] * length, [None] * length
        for point in group:
            at = (point.bucket_start - first) // bucket
            cpu[at], memory[at] = point.cpu_percent_avg, point.memory_mb_avg  # type: ignore[call-overload]
        series.append(Series(group, cpu, memory))
    return series


def _show(series: Sequence[Series], window: UsageWindow, *, wide: bool) -> None:
    if not series:
        write(f"no samples since {local_time(window.since, 'seconds')}")
        return
    top_cpu = max(value for each in series for value in each.cpu if value is not None)
    top_memory = max(value for each in series for value in each.memory if value is not None)
    whole_units = all(each.points[0].deployment_id is None for each in series)
    columns: list[Column[Series]] = [
        Column("unit", lambda s: s.points[0].unit),
        Column("deployment", lambda s: str(s.points[0].deployment_id or "")[: None if wide else 8], wide=whole_units),
        Column("package", lambda s: s.points[0].package, wide=True),
        Column("CPU avg", lambda s: f"{s.cpu_avg():.2f}%", right=True),
        Column("max", lambda s: f"{max(p.cpu_percent_max for p in s.points):.2f}%", right=True),
        Column("", lambda s: sparkline(s.cpu, top_cpu, 12)),
        Column("memory avg", lambda s: f"{s.memory_avg():.1f}MB", right=True),
        Column("max", lambda s: f"{max(p.memory_mb_max for p in s.points):.1f}MB", right=True, wide=True),
        Column("", lambda s: sparkline(s.memory, top_memory, 12)),
        Column("samples", lambda s: sum(p.samples for p in s.points), right=True, wide=True),
    ]
    table(columns, series, wide=wide)
    begin = min(each.points[0].bucket_start for each in series)
    write(f"from {local_time(begin, 'seconds')} to {local_time(window.until, 'seconds')}, by {_length(window.bucket)}")
    if len(series) == 1:
        for title, values, suffix in (("CPU", series[0].cpu, "%"), ("memory", series[0].memory, "MB")):
            write(f"\n{title}")
            for line in chart(values, unit=suffix):
                write(line)


def _length(bucket: timedelta) -> str:
    return (
        f"{bucket.total_seconds():g} s" if bucket < timedelta(minutes=1) else f"{bucket / timedelta(minutes=1):g} min"
    )
