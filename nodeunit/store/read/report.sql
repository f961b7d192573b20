-- What `nodeunit report` shows, all of it from the log alone, between %(since)s and %(until)s, which may be null.

-- name: report_server
select current_setting('server_version') as postgresql,
       (select x.extversion from pg_extension x where x.extname = 'timescaledb') as timescaledb,
       current_setting('track_commit_timestamp') = 'on' as knows_commits,
       clock_timestamp() as read_at

-- name: report_units
-- The units in the fleet at any time between the bounds, as of their last join.
with membership as (
    select e.unit_address, e.recorded_at, e.stream_version, e.data,
           e.type = 'UnitJoined'
               or e.type in ('UnitSnapshot', 'UnitCarried') and e.data ->> 'membership' not in ('left', 'lost') as present,
           lead(e.recorded_at) over (partition by e.unit_address order by e.stream_version) as until
    from event e
    where e.type in ('UnitJoined', 'UnitLeft', 'UnitLost', 'UnitSnapshot', 'UnitCarried')
)
select distinct on (m.unit_address)
       m.unit_address as address, m.data ->> 'name' as name, m.data ->> 'host' as host, m.data ->> 'policy' as policy,
       (m.data ->> 'cpu_weight')::float8 as cpu_weight, (m.data ->> 'memory_weight')::float8 as memory_weight,
       m.data ->> 'trusted' as trusted, (m.data ->> 'custom_command')::boolean as custom_command,
       coalesce(m.data ->> 'software', m.data ->> 'version') as software
from membership m
where m.present
  and (%(until)s::timestamptz is null or m.recorded_at < %(until)s)
  and (%(since)s::timestamptz is null or m.until is null or m.until >= %(since)s)
order by m.unit_address, m.stream_version desc

-- name: report_input
-- The rows that people inserted, by transaction and specification.
select min(e.recorded_at) as recorded_at, count(*) as deployments,
       e.data ->> 'package_name' as package_name, e.data ->> 'package_version' as package_version,
       e.data ->> 'command' as command, (e.data -> 'args')::text as args, e.data ->> 'type' as type, (e.data ->> 'enabled')::boolean as enabled,
       e.data ->> 'on_disconnect' as on_disconnect, e.data ->> 'by' as by,
       count(*) over () as inserts
from event e
where e.type = 'DeploymentCreated'
  and (%(since)s::timestamptz is null or e.recorded_at >= %(since)s)
  and (%(until)s::timestamptz is null or e.recorded_at < %(until)s)
group by e.transaction_id, 3, 4, 5, 6, 7, 8, 9, 10
order by 1
limit %(limit)s

-- name: report_first_claim
select min(e.position) as position
from event e
where e.type = 'DeploymentClaimed'
  and (%(since)s::timestamptz is null or e.recorded_at >= %(since)s)
  and (%(until)s::timestamptz is null or e.recorded_at < %(until)s)

-- name: report_split
-- The number of rows that each unit held, up to a position or the upper bound; the empty address is no unit.
with existing as (
    select e.deployment_id
    from event e
    where e.type in ('DeploymentCreated', 'DeploymentSnapshot', 'DeploymentCarried', 'DeploymentDeleted')
      and (%(position)s::bigint is null or e.position <= %(position)s)
      and (%(until)s::timestamptz is null or e.recorded_at < %(until)s)
    group by e.deployment_id
    having (array_agg(e.type order by e.stream_version desc))[1] <> 'DeploymentDeleted'
       and max(e.data ->> 'type') <> 'daemon'
), held as (
    select e.deployment_id, deployment_address_of(e.type, e.data order by e.stream_version) as address
    from event e
    where e.type in ('DeploymentClaimed', 'DeploymentAssigned', 'DeploymentReleased', 'AssignmentSnapshot', 'AssignmentCarried')
      and (%(position)s::bigint is null or e.position <= %(position)s)
      and (%(until)s::timestamptz is null or e.recorded_at < %(until)s)
    group by e.deployment_id
)
select coalesce(h.address, '') as address, count(*) as deployments
from existing x
left join held h using (deployment_id)
group by 1
order by 1

-- name: report_waiting
-- The rows that a round would look at now, by what they need of a unit.
select d.package_name || '@' || d.package_version as package, d.command <> '' as has_command,
       case when d.runtime <> '' then d.runtime when d.command <> '' then 'command' else 'npm' end as runtime,
       secret_names(d.secrets) as secrets, count(*) as deployments,
       (array_agg(d.id order by d.updated_at, d.id))[1] as example
from deployment d
where d.enabled and d.type = 'deployment'
  and (d.address = '' or exists (select from lease l where l.address = d.address and l.epoch is null))
group by 1, 2, 3, 4
order by 5 desc, 1, 2, 3, 4

-- name: report_abilities
select distinct u.trusted, u.custom_command, coalesce(u.runtimes, '{}') as runtimes, coalesce(u.secrets, '{}') as secrets
from unit u
where u.membership = 'present' and not u.cordoned and u.policy <> 'none'
order by 1, 2, 3, 4

-- name: report_rounds
-- The newest %(limit)s rounds that ended with a claim, oldest first, with their number among all.
select c.number, c.recorded_at, c.claimant, c.deployment_id, a.data::text as attempt, r.data::text as round
from (
    select e.position, e.recorded_at, e.transaction_id, e.deployment_id, e.data ->> 'claimant' as claimant,
           row_number() over (order by e.position) as number
    from event e
    where e.type = 'DeploymentClaimed'
      and (%(since)s::timestamptz is null or e.recorded_at >= %(since)s)
      and (%(until)s::timestamptz is null or e.recorded_at < %(until)s)
    order by e.position desc
    limit %(limit)s
) c
left join lateral (
    select e.data
    from event e
    where e.transaction_id = c.transaction_id and e.type = 'DeploymentClaimAttempt' and e.position < c.position
    order by e.position desc
    limit 1
) a on true
left join lateral (
    select e.data
    from event e
    where e.transaction_id = c.transaction_id and e.type = 'DeploymentClaimRound' and e.position < c.position
    order by e.position desc
    limit 1
) r on true
order by c.number

-- name: report_samples
-- One event of each type, and of each reason where reasons matter, with the number of such events. It is taken from the
-- first round that ended with a claim if that has such an event, otherwise it is the first of the log.
with bounded as (
    select e.position, e.type, e.transaction_id,
           case when e.type in ('DeploymentClaimSkipped', 'DeploymentReleased', 'ProcessExited', 'ProcessParked')
               then e.data ->> 'reason' end as reason
    from event e
    where (%(since)s::timestamptz is null or e.recorded_at >= %(since)s)
      and (%(until)s::timestamptz is null or e.recorded_at < %(until)s)
), first_claim as (
    select b.transaction_id from bounded b where b.type = 'DeploymentClaimed' order by b.position limit 1
), kind as (
    select count(*) as events,
           coalesce(
               min(b.position) filter (where b.transaction_id = (select f.transaction_id from first_claim f)),
               min(b.position)
           ) as position
    from bounded b
    group by b.type, b.reason
)
select e.type, e.data ->> 'reason' as reason, e.recorded_at, e.stream_id, e.stream_version, e.data::text as data, k.events
from kind k
join event e on e.position = k.position
order by e.position

-- name: report_timings
-- The time from the commit of a row's insert to the commit of its first claim, in milliseconds, one line per insert.
-- Commit times are the server's if it keeps them, otherwise the times at which the events were recorded.
-- A row that came back under the id of a deleted one is not timed.
with created as (
    select e.deployment_id, e.transaction_id, e.recorded_at,
           case when current_setting('track_commit_timestamp') = 'on' and e.transaction_id::text::bigint > o.added
               then pg_xact_commit_timestamp((e.transaction_id::text::bigint - o.added)::text::xid8::xid) end as committed_at
    from event e, log_transaction_offset() as o (added)
    where e.type = 'DeploymentCreated'
      and e.stream_version = 1
      and e.data ->> 'type' = 'deployment'
      and (e.data ->> 'enabled')::boolean
      and (%(since)s::timestamptz is null or e.recorded_at >= %(since)s)
      and (%(until)s::timestamptz is null or e.recorded_at < %(until)s)
), claimed as (
    select e.deployment_id, e.recorded_at,
           case when current_setting('track_commit_timestamp') = 'on' and e.transaction_id::text::bigint > o.added
               then pg_xact_commit_timestamp((e.transaction_id::text::bigint - o.added)::text::xid8::xid) end as committed_at
    from event e, log_transaction_offset() as o (added)
    where e.type = 'DeploymentClaimed' and e.stream_version = 1
), delay as (
    select i.transaction_id, i.recorded_at, i.deployment_id,
           i.committed_at is not null and c.committed_at is not null as by_commit,
           extract(epoch from case
               when i.committed_at is not null and c.committed_at is not null then c.committed_at - i.committed_at
               else c.recorded_at - i.recorded_at
           end) * 1000 as ms
    from created i
    left join claimed c on c.deployment_id = i.deployment_id
)
select min(d.recorded_at) as inserted_at, count(*) as deployments, count(d.ms) as claimed,
       min(d.ms)::float8 as first_ms,
       percentile_cont(0.5) within group (order by d.ms) as median_ms,
       max(d.ms)::float8 as last_ms,
       coalesce(bool_and(d.by_commit) filter (where d.ms is not null), false) as by_commit,
       grouping(d.transaction_id) = 1 as total,
       count(*) over () - 1 as inserts
from delay d
group by rollup (d.transaction_id)
order by total desc, inserted_at desc
limit %(limit)s
