"""The kinds of things that are listed: deployments, units and events, each with its columns."""

from typing import Any
from uuid import UUID

import msgspec

from nodeunit.audit.wording import called, describe, local_time
from nodeunit.cli.output.listing import Kind, age
from nodeunit.cli.output.render import Column
from nodeunit.domain.row_state import DeploymentRow
from nodeunit.errors import EventUndecodable
from nodeunit.store.read.event_log import RecordedEvent
from nodeunit.store.read.units import UnitRow


class EventRow(msgspec.Struct, frozen=True, kw_only=True):
    """An event of the log, with words for people."""

    position: int
    recorded_at: str
    """With its offset."""
    type: str
    deployment_id: UUID | None
    unit: str
    """The name of the unit that it is of or about; empty for what people did."""
    unit_address: str
    summary: str
    """What happened, in words that may change; `data` is what programs should read."""
    stream_id: str
    stream_version: int
    schema_version: int
    event_id: UUID
    data: dict[str, Any]


class RevisionRow(msgspec.Struct, frozen=True, kw_only=True):
    """What a row wanted from one revision on."""

    revision: int
    recorded_at: str
    """With its offset."""
    event: str
    """`DeploymentCreated`, `DeploymentChanged` or, after an archive, `DeploymentSnapshot`."""
    by: str = ""
    """The login that wrote it."""
    changed: list[str] = msgspec.field(default_factory=list)
    """The columns that differ from the revision before."""
    package_name: str = ""
    package_version: str = ""
    command: str = ""
    args: list[str] = msgspec.field(default_factory=list)
    env_names: list[str] = msgspec.field(default_factory=list)
    type: str = ""
    on_disconnect: str = ""
    runtime: str = ""
    options: dict[str, Any] = msgspec.field(default_factory=dict)
    """The other columns, those that differ from their defaults."""


def event_row(recorded: RecordedEvent, names: dict[str, str]) -> EventRow:
    """An event as it is listed. The data of an unknown type, a newer version or a damaged event is its own summary."""
    try:
        words = describe(recorded.event(), names)
    except EventUndecodable:
        words = recorded.data
    return EventRow(
        position=recorded.position,
        recorded_at=local_time(recorded.recorded_at),
        type=recorded.type,
        deployment_id=recorded.deployment_id,
        unit=called(recorded.unit_address, names) if recorded.unit_address else "",
        unit_address=recorded.unit_address,
        summary=words,
        stream_id=recorded.stream_id,
        stream_version=recorded.stream_version,
        schema_version=recorded.schema_version,
        event_id=recorded.event_id,
        data=msgspec.json.decode(recorded.data),
    )


def label(row: DeploymentRow) -> str:
    """What a row is called where room is small: its name, or the end of its package and the beginning of its id."""
    if row.name:
        return row.name
    short = str(row.id)[:8]
    return f"{row.package_name.rpartition('/')[2]}/{short}" if row.package_name else short


def status(row: DeploymentRow) -> str:
    """The state and its reason as one word."""
    return f"{row.state}:{row.reason}" if row.reason and row.state != "running" else row.state


def _units(row: DeploymentRow) -> str:
    if row.unit or row.unit_address:
        return row.unit or row.unit_address[:8]
    return f"{len(row.programs)} units" if row.type == "daemon" else ""


DEPLOYMENTS: Kind[DeploymentRow] = Kind(
    "deployments", 1, DeploymentRow,
    [
        Column("name", label),
        Column("ready", lambda d: f"{d.ready}/{d.wanted}"),
        Column("status", status),
        Column("restarts", lambda d: d.restarts, right=True),
        Column("age", lambda d: age(d.age_s), right=True),
        Column("unit", _units),
        Column("id", lambda d: d.id, wide=True),
        Column("package", lambda d: d.package, wide=True),
        Column("type", lambda d: d.type, wide=True),
        Column("claim", lambda d: d.claim_version, right=True, wide=True),
        Column("pid", lambda d: ",".join(str(p.pid) for p in d.programs if p.pid), right=True, wide=True),
        Column("address", lambda d: d.unit_address, wide=True),
    ],
    lambda d: f"deployment/{d.name or d.id}",
)  # fmt: skip
UNITS: Kind[UnitRow] = Kind(
    "units", 1, UnitRow,
    [
        Column("name", lambda u: u.name or u.address[:8]),
        Column("status", lambda u: u.status),
        Column("rows", lambda u: u.rows, right=True),
        Column("age", lambda u: age(u.since_s), right=True),
        Column("version", lambda u: u.software),
        Column("host", lambda u: u.host),
        Column("cpu", lambda u: "" if u.cpu_percent is None else f"{u.cpu_percent:.1f}%", right=True, wide=True),
        Column("memory", lambda u: "" if u.memory_mb is None else f"{u.memory_mb:.0f}MB", right=True, wide=True),
        Column("policy", lambda u: u.policy, wide=True),
        Column("epoch", lambda u: u.epoch, right=True, wide=True),
        Column("address", lambda u: u.address, wide=True),
        Column("since", lambda u: u.since and local_time(u.since, "seconds"), wide=True),
    ],
    lambda u: f"unit/{u.address}",
)  # fmt: skip
EVENTS: Kind[EventRow] = Kind(
    "events", 1, EventRow,
    [
        Column("time", lambda e: e.recorded_at[11:19]),
        Column("deployment", lambda e: str(e.deployment_id or "")[:8]),
        Column("unit", lambda e: e.unit),
        Column("event", lambda e: e.type.removeprefix("Deployment")),
        Column("what", lambda e: e.summary),
        Column("type", lambda e: e.type, wide=True),
        Column("recorded at", lambda e: e.recorded_at, wide=True),
        Column("position", lambda e: e.position, right=True, wide=True),
        Column("id", lambda e: e.deployment_id, wide=True),
        Column("address", lambda e: e.unit_address, wide=True),
    ],
    lambda e: f"event/{e.position}",
)  # fmt: skip

REVISIONS: Kind[RevisionRow] = Kind(
    "revisions", 1, RevisionRow,
    [
        Column("revision", lambda r: r.revision, right=True),
        Column("time", lambda r: r.recorded_at[:19]),
        Column("by", lambda r: r.by),
        Column("changed", lambda r: ",".join(r.changed) or r.event.removeprefix("Deployment").lower()),
        Column("version", lambda r: r.package_version),
        Column("package", lambda r: r.package_name, wide=True),
        Column("command", lambda r: r.command, wide=True),
        Column("args", lambda r: " ".join(r.args), wide=True),
        Column("env", lambda r: ",".join(r.env_names), wide=True),
    ],
    lambda r: f"revision/{r.revision}",
)  # fmt: skip

KINDS: dict[str, Kind[Any]] = {kind.plural: kind for kind in (DEPLOYMENTS, UNITS, EVENTS, REVISIONS)}
"""Every kind, by the name that its schema has."""
