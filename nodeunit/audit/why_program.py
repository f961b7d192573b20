"""What happened to the program of a held row, in words: under this claim of this unit, as far as the log shows.

Events of other units and of earlier claims say nothing about it. A unit that is silent, was lost or has left reports
nothing, so its last report is marked as such.
"""

from datetime import datetime

from nodeunit.audit.wording import called, local_time, program_sentence
from nodeunit.domain.events import UnitLost
from nodeunit.domain.fleet import DeploymentState, UnitState
from nodeunit.domain.snapshot_events import UnitSnapshot
from nodeunit.store.postgres.connections import Connection
from nodeunit.store.read import why as store

_GONE = {"lost": "was lost", "left": "left the fleet"}


async def program(connection: Connection, row: DeploymentState, holder: UnitState | None, at: datetime | None) -> str:
    """The sentence about a row that `holder` holds, now or at a given time.

    Whether a unit was silent at a time in the past is not recorded: it counts as present until its lease had run out,
    if it was declared lost for that.
    """
    known = await _reported(connection, row, at)
    name = called(row.address, {holder.address: holder.name} if holder else {})
    if holder is not None and not holder.is_there:
        gone = f"{name} {_GONE.get(holder.membership, holder.membership)}"
        since = f" at {local_time(holder.since)}" if holder.since else ""
        return f"not known: {gone}{since}, and no unit has taken the row since; before that: {known}"
    if at is not None and holder is not None:
        after = await store.membership_after(connection, holder.address, holder.version, at)
        lost = after.event() if after else None
        if isinstance(lost, UnitLost) and datetime.fromisoformat(lost.lease_expired_at) <= at:
            ran_out = local_time(datetime.fromisoformat(lost.lease_expired_at))
            return f"not known: the lease of {name} had run out at {ran_out}; before that: {known}"
    silence = await store.silence(connection, row.address) if at is None else None
    if silence is not None:
        ends = "ran out at" if silence.expired else "runs until"
        return (
            f"not known: nothing was heard of {name} since {local_time(silence.since)}, and its lease {ends} "
            f"{local_time(silence.expires_at)}; before that: {known}"
        )
    return known


async def _reported(connection: Connection, row: DeploymentState, at: datetime | None) -> str:
    assert row.address_since is not None
    reports = await store.programs(
        connection, row.deployment_id, row.address, row.address_version, row.address_since, at
    )
    if not reports and (snapshot := await store.unit_snapshot(connection, row.address, at)) is not None:
        unit = snapshot.event()
        assert isinstance(unit, UnitSnapshot)
        if row.deployment_id in unit.parked:
            return "parked, and the reason is archived; change the row to try again"
        for one in unit.programs:
            if (one.deployment_id, one.claim_version) == (row.deployment_id, row.address_version):
                return f"runs since {local_time(datetime.fromisoformat(one.since))} as pid {one.pid}"
    return program_sentence(reports)
