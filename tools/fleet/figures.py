"""What a scenario took, read from the log: claims and how fast they were, events, conflicts, wake-ups."""

from typing import Any

import msgspec
import psycopg
from psycopg.rows import dict_row

BEGIN = """
    select coalesce((select max(e.position) from event e), 0) as position,
           coalesce((select max(w.number) from wake_up w), 0) as wake_up, clock_timestamp() as at
"""

EVENTS = """
    with found as (
        select e.transaction_id, e.type, e.deployment_id, e.data, octet_length(e.data::text) as bytes,
               pg_xact_commit_timestamp((e.transaction_id::text::bigint - o.added)::text::xid8::xid) as at
        from event e, log_transaction_offset() as o (added)
        where e.position > %(position)s
    ), claim as (
        select f.transaction_id, f.deployment_id, f.at from found f where f.type = 'DeploymentClaimed'
    )
    select (select count(*) from claim) as claims,
           (select count(distinct transaction_id) from claim) as claim_transactions,
           (select count(*) from found f
            where f.type in ('DeploymentClaimEligibility', 'DeploymentClaimAttempt', 'DeploymentClaimSkipped',
                             'DeploymentClaimed', 'DeploymentClaimRound')) as claim_events,
           (select count(*) from found f where f.type = 'DeploymentClaimSkipped') as skips,
           (select count(*) from found f
            where f.type = 'DeploymentClaimSkipped' and f.data ->> 'reason' = 'claim_conflict') as conflicts,
           (select count(*) from found f
            where f.type = 'DeploymentClaimRound' and f.data ->> 'wake_up' = 'heartbeat'
              and f.data ->> 'outcome' = 'claim') as claims_by_heartbeat,
           (select coalesce(sum(f.bytes), 0) from found f
            where f.transaction_id in (select transaction_id from claim)) as claim_bytes,
           (select max(w.number) from wake_up w) - %(wake_up)s as wake_ups
"""

SPEED = """
    with found as (
        select e.transaction_id, e.type, e.deployment_id,
               pg_xact_commit_timestamp((e.transaction_id::text::bigint - o.added)::text::xid8::xid) as at
        from event e, log_transaction_offset() as o (added)
        where e.position > %(position)s and e.type in ('DeploymentCreated', 'DeploymentClaimed')
    ), inserted as (
        select f.transaction_id, f.at, count(*) as rows, array_agg(f.deployment_id) as ids
        from found f where f.type = 'DeploymentCreated' group by 1, 2
    ), delay as (
        select i.transaction_id, i.rows, c.deployment_id, extract(epoch from min(c.at) - i.at)::float8 * 1000 as ms
        from inserted i cross join unnest(i.ids) as id
        join found c on c.deployment_id = id and c.type = 'DeploymentClaimed'
        group by 1, 2, 3, i.at
    )
    select d.rows::int as rows, count(*)::int as claimed, min(d.ms) as first_ms,
           percentile_cont(0.5) within group (order by d.ms) as median_ms, max(d.ms) as last_ms
    from delay d group by d.transaction_id, d.rows order by d.transaction_id
"""


class Begin(msgspec.Struct, frozen=True):
    """Where the log was."""

    position: int
    wake_up: int


class Insert(msgspec.Struct, frozen=True):
    """From the commit of an insert to the commits of the first claims of its rows, in milliseconds."""

    rows: int
    claimed: int
    first_ms: float
    median_ms: float
    last_ms: float

    @property
    def claims_a_second(self) -> float:
        return self.claimed / self.last_ms * 1000


class Figures(msgspec.Struct, frozen=True):
    """Of everything since the beginning."""

    claims: int
    claim_transactions: int
    claim_events: int
    """Rounds, eligibilities, attempts, skips and claims."""
    skips: int
    conflicts: int
    claims_by_heartbeat: int
    """Claims in rounds that only a heartbeat started: their wake-up was lost, or never sent."""
    claim_bytes: int
    """Of the data of all events in the transactions of claims."""
    wake_ups: int
    inserts: list[Insert]

    def a_claim(self, number: int) -> float:
        """So many for each claim."""
        return number / max(self.claims, 1)


def begin(conninfo: str) -> Begin:
    """Where the log is now."""
    with psycopg.connect(conninfo, autocommit=True, row_factory=dict_row) as connection:
        found: dict[str, Any] | None = connection.execute(BEGIN).fetchone()
    assert found is not None
    return Begin(found["position"], found["wake_up"])


def since(conninfo: str, began: Begin) -> Figures:
    """What happened since then. The server must keep the times of commits."""
    where = msgspec.structs.asdict(began)
    with psycopg.connect(conninfo, autocommit=True, row_factory=dict_row) as connection:
        found: dict[str, Any] | None = connection.execute(EVENTS, where).fetchone()
        inserts = [Insert(**row) for row in connection.execute(SPEED, where).fetchall()]
    assert found is not None
    return Figures(**{name: int(value or 0) for name, value in found.items()}, inserts=inserts)
