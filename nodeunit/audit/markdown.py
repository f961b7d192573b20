"""A report as Markdown. `domain.rounds_table` can read its rounds table."""

import json
import shlex
from collections.abc import Iterable, Iterator

from nodeunit.audit.report import Report, Round
from nodeunit.audit.wording import local_time
from nodeunit.domain.policy import Usage
from nodeunit.plain import plain
from nodeunit.store.read.report import SampleRow, invariant_text


def markdown(report: Report, *, queries: bool = False) -> str:
    """The whole report; with `queries` it ends with the SQL of each invariant."""
    sections = [
        _overview(report),
        _environment(report),
        _input(report),
        _split(report),
        *([_nobody_can_run(report)] if report.nobody_can_run else []),
        _rounds(report),
        _timings(report),
        _invariants(report),
        _events(report),
    ]
    if queries:
        sections.append(_queries(report))
    return "\n".join(line for section in sections for line in (*section, ""))


def _overview(report: Report) -> Iterator[str]:
    yield "# nodeunit report"
    yield ""
    bounds = [f"since {local_time(report.since)}"] if report.since else []
    bounds += [f"until {local_time(report.until)}"] if report.until else []
    yield f"Read from the event log at {local_time(report.server.read_at)}{''.join(f', {bound}' for bound in bounds)}."
    yield ""
    if total := report.total:
        yield f"- {total.claimed} of {total.deployments} deployments were claimed."
    split = [str(count) for address, count in report.split_at_end.items() if address]
    if split:
        yield f"- They are split {' to '.join(split)}."
    if report.nobody_can_run:
        yield f"- {sum(row.deployments for row in report.nobody_can_run)} deployments wait, and no unit can run them."
    broken = [invariant for invariant in report.invariants if invariant.violations]
    kept = f"{len(report.invariants) - len(broken)} of {len(report.invariants)} invariants hold."
    yield f"- {kept}"


def _environment(report: Report) -> Iterator[str]:
    yield "## Environment"
    yield ""
    timescaledb = report.server.timescaledb
    extension = f"TimescaleDB {timescaledb}" if timescaledb else "no TimescaleDB: the log is an ordinary table"
    yield f"PostgreSQL {report.server.postgresql}, {extension}."
    yield ""
    labels = report.labels()
    yield from _table(
        ["unit", "address", "name", "host", "policy", "weights (CPU, memory)", "trusted", "commands", "nodeunit"],
        (
            [
                labels[unit.address],
                unit.address,
                unit.name,
                unit.host,
                unit.policy,
                f"{unit.cpu_weight:g}, {unit.memory_weight:g}",
                f"`{unit.trusted}`",
                "run" if unit.custom_command else "ignored",
                unit.software,
            ]
            for unit in report.units
        ),
    )


def _input(report: Report) -> Iterator[str]:
    yield "## Input"
    yield ""
    yield from _table(
        ["time", "rows", "package", "type", "enabled", "command", "on_disconnect", "by"],
        (
            [
                local_time(row.recorded_at),
                row.deployments,
                f"{row.package_name}@{row.package_version}",
                row.type,
                "yes" if row.enabled else "no",
                f"`{shlex.join([row.command, *json.loads(row.args)])}`" if row.command else "",
                row.on_disconnect,
                row.by,
            ]
            for row in report.inserts
        ),
    )
    if report.inserts and report.inserts[0].inserts > len(report.inserts):
        yield ""
        yield f"The first {len(report.inserts)} of {report.inserts[0].inserts} inserts."


def _split(report: Report) -> Iterator[str]:
    yield "## Split"
    yield ""
    yield "After the first claim:"
    yield ""
    if report.split_after_first_claim is None:
        yield "nothing was claimed."
    else:
        yield from _split_table(report, report.split_after_first_claim)
    yield ""
    yield "At the end:"
    yield ""
    yield from _split_table(report, report.split_at_end)


def _nobody_can_run(report: Report) -> Iterator[str]:
    yield "## What no unit can run"
    yield ""
    yield "These wait until a unit joins that trusts the package, and has what the row needs:"
    yield ""
    yield from _table(
        ["package", "command", "runtime", "secrets", "rows", "for example"],
        (
            [
                row.package,
                "yes" if row.has_command else "no",
                row.runtime,
                ", ".join(row.secrets),
                row.deployments,
                row.example,
            ]
            for row in report.nobody_can_run
        ),
    )


def _split_table(report: Report, split: dict[str, int]) -> Iterator[str]:
    labels = report.labels()
    return _table(
        ["address", "unit", "count"],
        ([address, labels.get(address, "") if address else "nobody", count] for address, count in split.items()),
    )


def _rounds(report: Report) -> Iterator[str]:
    """Usage is what was measured. Reservations also decide, and have separate columns if there are any."""
    yield "## Rounds"
    yield ""
    labels = report.labels()
    shown = {address for row in report.rounds for address in (*row.usage, *row.reserved, row.claimant)}
    units = sorted(shown, key=lambda address: labels.get(address, address[:8]))
    names = [labels.get(address, address[:8]) for address in units]
    reserves = any(row.reserved for row in report.rounds)
    yield from _table(
        ["round", "time", "claimant", "deployment"]
        + [f"{name} CPU/memory" for name in names]
        + [f"{name} reserved" for name in names if reserves],
        (_round_cells(row, units, labels, reserves=reserves) for row in report.rounds),
    )
    if report.rounds and report.rounds[0].number > 1:
        yield ""
        yield f"The newest {len(report.rounds)} of {report.rounds[-1].number} rounds with a claim."


def _round_cells(row: Round, units: list[str], labels: dict[str, str], *, reserves: bool) -> list[object]:
    cells: list[object] = [
        row.number,
        row.at.astimezone().strftime("%H:%M:%S.%f")[:-3],
        labels.get(row.claimant, row.claimant[:8]),
        str(row.deployment_id)[:8],
    ]
    cells += [_usage(row.usage[unit]) if unit in row.usage else "missing" for unit in units]
    if reserves:
        cells += [_usage(row.reserved[unit], "+") if unit in row.reserved else "" for unit in units]
    return cells


def _usage(usage: Usage, sign: str = "") -> str:
    return f"{sign}{usage.cpu_percent:.2f}% / {sign}{usage.memory_mb:.2f}MB"


def _timings(report: Report) -> Iterator[str]:
    yield "## Timings"
    yield ""
    total = report.total
    if total is None or not total.claimed:
        yield "Nothing was inserted and claimed."
        return
    if total.by_commit:
        yield "From the commit of the insert to the commit of each claim, by the server's commit timestamps:"
    elif report.server.knows_commits:
        yield "From insert to claim, for older rows by the times at which the events were recorded:"
    else:
        yield "From insert to claim, by the times at which the events were recorded (track_commit_timestamp is off):"
    yield ""
    inserts = [line for line in report.timings if not line.total]
    yield from _table(
        ["insert", "rows", "claimed", "first claim ms", "median ms", "last claim ms"],
        (
            [
                "all" if line.total or line.inserted_at is None else local_time(line.inserted_at),
                line.deployments,
                line.claimed,
                *("" if ms is None else f"{ms:.1f}" for ms in (line.first_ms, line.median_ms, line.last_ms)),
            ]
            for line in (*inserts, *([total] if len(inserts) > 1 else []))
        ),
    )
    if total.inserts > len(inserts):
        yield ""
        yield f"The newest {len(inserts)} of {total.inserts} inserts."


def _invariants(report: Report) -> Iterator[str]:
    yield "## Invariants"
    yield ""
    yield from _table(
        ["invariant", "what it says", "violations"],
        ([f"`{one.name}`", one.sentence, one.violations] for one in report.invariants),
    )
    for one in report.invariants:
        if one.violations:
            yield ""
            yield f"`{one.name}` is violated, for example:"
            yield ""
            yield from (f"- {_cell(example)}" for example in one.examples)


def _events(report: Report) -> Iterator[str]:
    yield "## Events"
    yield ""
    yield from _table(
        ["type", "reason", "events"],
        ([sample.type, sample.reason or "", sample.events] for sample in report.samples),
    )
    for sample in report.samples:
        yield from _sample(sample)


def _sample(sample: SampleRow) -> Iterator[str]:
    yield ""
    yield f"{local_time(sample.recorded_at)} **{sample.type}** (`{sample.stream_id}` version {sample.stream_version})"
    yield ""
    yield "```json"
    fields = json.loads(sample.data)
    if not fields:
        yield "{}"
    else:
        lines = [f"  {json.dumps(name)}: {json.dumps(value, ensure_ascii=False)}" for name, value in fields.items()]
        yield "\n".join(("{", ",\n".join(lines), "}"))
    yield "```"


def _queries(report: Report) -> Iterator[str]:
    yield "## Queries"
    yield ""
    yield "Each invariant is one statement; it counts the violations."
    for one in report.invariants:
        yield ""
        yield f"`{one.name}`"
        yield ""
        yield "```sql"
        yield f"{invariant_text(one.name)};"
        yield "```"


def _table(header: list[str], rows: Iterable[list[object]]) -> Iterator[str]:
    """Padded, so that it is readable as plain text."""
    lines = [[_cell(cell) for cell in row] for row in rows]
    widths = [max(len(line[at]) for line in (header, *lines)) for at in range(len(header))]

    def joined(cells: list[str]) -> str:
        return f"| {' | '.join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True))} |"

    yield joined(header)
    yield f"| {' | '.join('-' * max(width, 3) for width in widths)} |"
    yield from map(joined, lines)


def _cell(value: object) -> str:
    """No character in a name or command may break the table, or become a link, an image or a tag where it is shown."""
    text = plain(str(value)).replace("|", "¦").replace("<", "&lt;").replace("](", "] (")
    return " ".join(text.split())
