"""Checks of the units and of the rows that nobody can run."""

from collections import Counter
from collections.abc import Iterable

from nodeunit.domain.can_run import obstacle
from nodeunit.domain.finding import Finding, Limits
from nodeunit.domain.fleet import UnitState
from nodeunit.domain.policy import Candidate
from nodeunit.domain.verdict import judge
from nodeunit.store.postgres.connections import Connection
from nodeunit.store.read import doctor as store
from nodeunit.store.read import fleet, why
from nodeunit.store.read.fleet import AsOf

WAITING = 1000
"""How many waiting rows are looked at."""
NAMED = 5
"""How many units one sentence names."""


async def waiting_rows(connection: Connection) -> list[Finding]:
    """Rows that nobody can run. Where only trust is in the way, that is one finding about the patterns."""
    roster = [unit for unit in await fleet.units(connection, AsOf()) if unit.is_there]
    waiting = (await why.inputs_now(connection, WAITING)).candidates
    if waiting and not roster:
        return [
            Finding(
                name="no_unit",
                severity="error",
                subject="fleet",
                cause=f"{len(waiting)} rows wait, and no unit is in the fleet",
                mend="nodeunit run, on each machine",
            )
        ]
    stranded = [row for row in waiting if all(obstacle(unit, row) for unit in roster)]
    distrusted = [row for row in stranded if {obstacle(unit, row) for unit in roster} == {"untrusted"}]
    others = [row for row in stranded if row not in distrusted]
    return [*_patterns(distrusted, roster), *(_row(row, roster) for row in others)]


def _patterns(rows: list[Candidate], roster: list[UnitState]) -> list[Finding]:
    if not rows:
        return []
    patterns = ", ".join(sorted({unit.trusted for unit in roster})[:NAMED])
    packages = ", ".join(sorted({row.package for row in rows})[:NAMED])
    return [
        Finding(
            name="pattern_matches_nothing_waiting",
            severity="error",
            subject="fleet",
            cause=f"{len(rows)} rows wait ({packages}), and no unit trusts their packages: the patterns are {patterns}",
            mend="set TRUSTED_PACKAGE_REGEXP of a unit so that it matches, and restart the unit",
        )
    ]


def _row(row: Candidate, roster: list[UnitState]) -> Finding:
    verdicts = judge(row, None, roster)
    said = "; ".join(f"{one.name or one.address}: {one.because}" for one in verdicts[:NAMED])
    more = f"; and {len(verdicts) - NAMED} more units" if len(verdicts) > NAMED else ""
    return Finding(
        name="row_nobody_can_run",
        severity="error",
        subject=f"row {row.id}",
        cause=f"no unit can run {row.package}: {said}{more}",
        mend=f"nodeunit why {str(row.id)[:8]}; then give a unit what it lacks, or change the row",
    )


async def versions(connection: Connection) -> list[Finding]:
    """Units of several versions: an upgrade that was not finished."""
    present = [unit for unit in await fleet.units(connection, AsOf()) if unit.membership == "present"]
    counted = Counter(unit.software for unit in present)
    if len(counted) < 2:
        return []
    most = counted.most_common(1)[0][0]
    return [
        Finding(
            name="versions_differ",
            severity="warning",
            subject="fleet",
            cause="units run several versions: "
            + ", ".join(f"{count} x {name}" for name, count in counted.most_common()),
            mend=f"upgrade or restart {_named(unit.name for unit in present if unit.software != most)}",
        )
    ]


async def deaf_listeners(connection: Connection, limits: Limits) -> list[Finding]:
    """Units that missed notifications lately. They found out by themselves, and react late meanwhile."""
    return [
        Finding(
            name="deaf_listener",
            severity="warning",
            subject=f"unit {unit.name}",
            cause=f"it has been deaf {unit.times} times within {limits.deaf_within_s / 60:.0f} minutes: something "
            "between it and the database keeps its connection open and delivers no notification",
            mend="give its POSTGRES_URI the address of PostgreSQL itself; see idle timeouts of firewalls in between",
        )
        for unit in await store.deaf_units(connection, limits.deaf_within_s)
    ]


async def short_leases(connection: Connection, limits: Limits) -> list[Finding]:
    """Units that were declared lost although their supervisor lived on: the lease was shorter than the outage."""
    return [
        Finding(
            name="lease_ttl_too_short",
            severity="warning",
            subject=f"unit {unit.name}",
            cause=f"it was declared lost and was back {unit.away_s:.0f} s later with the same supervisor, {unit.times} "
            "times within a day: the outages of its connection last longer than its lease",
            mend=f"raise NODE_UNIT_LEASE_TTL above {unit.ttl_s + unit.away_s:.0f} on {unit.name}, and restart it",
        )
        for unit in await store.units_back_from_loss(connection, limits.lost_within_s)
    ]


def _named(names: Iterable[str]) -> str:
    known = sorted(names)
    more = f" and {len(known) - NAMED} more" if len(known) > NAMED else ""
    return ", ".join(known[:NAMED]) + more
