-- Claims, for people who query in SQL. docs/sql.md shows each with its result.

create or replace view claim_round as
select c.recorded_at as claimed_at,
       coalesce(u.name, c.unit_address) as claimant,
       c.deployment_id,
       c.stream_version as claim_version,
       r.data ->> 'policy' as policy,
       r.data ->> 'wake_up' as wake_up,
       a.data -> 'usage' as usage,
       c.unit_address as claimant_address
from event c
left join unit u on u.address = c.unit_address
-- A round is part of one transaction, which takes less than an hour, so later and earlier chunks are not opened.
left join event a on a.transaction_id = c.transaction_id and a.type = 'DeploymentClaimAttempt'
    and a.deployment_id = c.deployment_id
    and a.recorded_at between c.recorded_at - interval '1 hour' and c.recorded_at + interval '1 hour'
left join lateral (
    select r.data from event r
    where r.transaction_id = c.transaction_id and r.type = 'DeploymentClaimRound' and r.position < c.position
      and r.recorded_at between c.recorded_at - interval '1 hour' and c.recorded_at + interval '1 hour'
    order by r.position desc
    limit 1
) r on true
where c.type = 'DeploymentClaimed';

comment on view claim_round is 'One row per round that ended with a claim.';
comment on column claim_round.usage is 'What each unit used, as the claimant saw it: {address: {cpuPercent, memoryMb}}.';

create or replace view claim_round_usage as
select c.claimed_at, c.claimant, c.deployment_id, c.claim_version,
       coalesce(u.name, s.address) as unit,
       (s.used ->> 'cpuPercent')::double precision as cpu_percent,
       (s.used ->> 'memoryMb')::double precision as memory_mb,
       s.address as unit_address
from claim_round c
cross join jsonb_each(c.usage) as s (address, used)
left join unit u on u.address = s.address;

comment on view claim_round_usage is 'One row for each round that ended with a claim, and unit that had a sample then.';
comment on column claim_round_usage.cpu_percent is 'The share of the whole machine: 100 is all cores busy.';
comment on column claim_round_usage.memory_mb is 'Resident memory, MiB.';

create or replace view claims_per_hour as
select date_bin('1 hour', e.recorded_at, '2000-01-01 00:00Z') as hour,
       count(*) filter (where e.type = 'DeploymentClaimed') as claims,
       count(*) filter (where e.data ->> 'reason' = 'claim_conflict') as conflicts,
       count(*) filter (where e.data ->> 'reason' = 'not_eligible') as not_eligible,
       count(*) filter (where e.data ->> 'reason' = 'no_candidate') as no_candidate,
       count(distinct e.unit_address) as units
from event e
where e.type in ('DeploymentClaimed', 'DeploymentClaimSkipped')
group by 1;

comment on view claims_per_hour is 'How rounds ended, per hour. An hour without a round has no row.';

create or replace view claim_latency as
select i.deployment_id,
       i.data ->> 'package_name' as package_name,
       i.data ->> 'package_version' as package_version,
       i.recorded_at as created_at,
       c.recorded_at as claimed_at,
       round((extract(epoch from c.recorded_at - i.recorded_at) * 1000)::numeric, 1) as latency_ms,
       coalesce(u.name, c.unit_address) as claimant
from event i
left join event c on c.deployment_id = i.deployment_id and c.type = 'DeploymentClaimed' and c.stream_version = 1
    and c.stream_id = 'assignment-' || i.deployment_id and c.recorded_at >= i.recorded_at
left join unit u on u.address = c.unit_address
where i.type = 'DeploymentCreated' and i.stream_version = 1 and i.data ->> 'type' = 'deployment';

comment on view claim_latency is 'How long each new row waited for its first claim; null: it still waits, or was assigned by hand.';

create or replace view claim_conflict as
select e.recorded_at,
       coalesce(u.name, e.unit_address) as unit,
       e.deployment_id,
       coalesce(w.name, c.unit_address) as winner,
       round((extract(epoch from e.recorded_at - c.recorded_at) * 1000)::numeric, 1) as late_ms
from event e
left join unit u on u.address = e.unit_address
left join lateral (
    select c.unit_address, c.recorded_at
    from event c
    where c.deployment_id = e.deployment_id and c.type = 'DeploymentClaimed'
      and c.recorded_at between e.recorded_at - interval '1 hour' and e.recorded_at + interval '1 hour'
    order by abs(extract(epoch from c.recorded_at - e.recorded_at))
    limit 1
) c on true
left join unit w on w.address = c.unit_address
where e.type = 'DeploymentClaimSkipped' and e.data ->> 'reason' = 'claim_conflict';

comment on view claim_conflict is
    'One row per unit that tried to claim a row and was too late; the winner is the nearest claim of that row.';
comment on column claim_conflict.late_ms is 'Negative: the loser had given up before the winner wrote.';
