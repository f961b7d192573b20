"""A description as lines for people: sections, each with what it has to say."""

from collections.abc import Iterator

import msgspec

from nodeunit.audit.description import Description
from nodeunit.audit.wording import local_time
from nodeunit.cli.output.blocks import sparkline
from nodeunit.cli.output.kinds import event_row, status
from nodeunit.cli.output.listing import age
from nodeunit.cli.output.render import printable
from nodeunit.domain.row_state import Program


def description_lines(found: Description) -> Iterator[str]:
    """The screen. Nothing in a row, an event or a detail can break a line or control the terminal."""
    for line in _lines(found):
        yield printable(line).rstrip()


def _lines(found: Description) -> Iterator[str]:
    row = found.deployment
    yield f"{'Name:':12}{row.name or '-'}"
    yield f"{'Id:':12}{row.id}"
    yield f"{'Status:':12}{status(row)}, {row.ready}/{row.wanted} ready, {row.restarts} restarts, {age(row.age_s)} old"
    yield f"{'Revision:':12}{row.revision}, changed {local_time(row.updated_at, 'seconds')}"
    yield "Wanted:"
    for name, value in found.wanted.items():
        shown = ", ".join(value) if name == "env" else msgspec.json.encode(value).decode().strip('"')
        yield f"  {name}: {shown}"
    yield "Conditions:"
    for one in found.conditions:
        yield f"  {one.name:10}{'yes' if one.holds else 'no':5}{one.reason}"
    if found.because:
        yield "Because:"
        for reason in found.because:
            yield f"  {reason}"
    if row.programs:
        yield "Programs:"
        for program in row.programs:
            yield from _program(program)
    yield from _events(found)
    if found.usage:
        cpu = [point.cpu_percent_avg for point in found.usage]
        memory = [point.memory_mb_avg for point in found.usage]
        yield "Usage, 30 minutes:"
        yield f"  CPU     {sparkline(cpu, max(cpu), 30)} {cpu[-1]:.1f}%, most {max(cpu):.1f}%"
        yield f"  memory  {sparkline(memory, max(memory), 30)} {memory[-1]:.0f}MB, most {max(memory):.0f}MB"


def _program(one: Program) -> Iterator[str]:
    since = f" since {local_time(one.since, 'seconds')}" if one.since else ""
    parts = [f"{one.state}{since}", one.reason.replace("_", " "), f"pid {one.pid}" if one.pid else ""]
    parts += [f"port {one.port}" if one.port else "", f"version {one.resolved_version}" if one.resolved_version else ""]
    yield f"  {one.unit or one.unit_address[:8]}: {', '.join(part for part in parts if part)}"
    if one.ended_at:
        how = f"signal {one.exit_signal}" if one.exit_signal is not None else f"exit code {one.exit_code}"
        yield f"    last end:  {local_time(one.ended_at, 'seconds')}, {how}"
    if one.detail:
        yield f"    detail:    {one.detail}"
    if one.next_try_at:
        yield f"    next try:  {local_time(one.next_try_at, 'seconds')}"


def _events(found: Description) -> Iterator[str]:
    for title, events in (("Where it ran:", found.places), ("Events:", found.events)):
        if events:
            yield title
            for recorded in events:
                one = event_row(recorded, found.names)
                what = f"{one.type.removeprefix('Deployment')} {one.summary}"
                yield f"  {one.recorded_at[:19]}  {what}"
