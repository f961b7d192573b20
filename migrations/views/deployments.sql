-- The history of deployments, for people who query in SQL. docs/sql.md shows each with its result.

create or replace view restarts_per_day as
with started as (
    select e.recorded_at, e.deployment_id, e.unit_address,
           row_number() over (
               partition by e.deployment_id, e.unit_address, e.data -> 'claim_version', e.data -> 'revision'
               order by e.position
           ) as run
    from event e
    where e.type = 'ProcessStarted'
)
select date_bin('1 day', s.recorded_at, '2000-01-01 00:00Z') as day,
       s.deployment_id, d.package_name, d.package_version,
       coalesce(u.name, s.unit_address) as unit,
       count(*) as restarts
from started s
left join deployment d on d.id = s.deployment_id
left join unit u on u.address = s.unit_address
where s.run > 1
group by 1, 2, 3, 4, 5;

comment on view restarts_per_day is
    'Programs that were started again under the same claim and specification, because they had ended. Days are UTC.';

create or replace view time_without_owner as
with told as (
    select e.deployment_id, e.position, e.recorded_at, e.type, e.data,
           -- Each of the two kinds of streams has one of these and leaves the other unchanged.
           case when e.stream_id like 'deployment-%' and e.type <> 'DeploymentRestartRequested' then
               (e.type = 'DeploymentEnabled' or coalesce((e.data ->> 'enabled')::boolean, false))::integer end as wanted,
           case when e.stream_id like 'assignment-%' then
               (fold_deployment_address('', e.type, e.data) <> '')::integer end as held
    from event e
    where e.stream_id like 'deployment-%' or e.stream_id like 'assignment-%'
), numbered as (
    select t.*,
           count(t.wanted) over so_far as wanted_number,
           count(t.held) over so_far as held_number,
           lead(t.recorded_at, 1, clock_timestamp()) over (partition by t.deployment_id order by t.position) as until
    from told t
    window so_far as (partition by t.deployment_id order by t.position)
), period as (
    select n.deployment_id, n.recorded_at, n.until,
           max(n.wanted) over (partition by n.deployment_id, n.wanted_number) = 1 as wanted,
           coalesce(max(n.held) over (partition by n.deployment_id, n.held_number), 0) = 1 as held
    from numbered n
)
select s.deployment_id, d.package_name, d.package_version, d.address = '' as is_waiting,
       round(extract(epoch from coalesce(sum(s.until - s.recorded_at) filter (where s.wanted and not s.held), '0'))::numeric, 3)
           as without_owner_s,
       round(extract(epoch from coalesce(sum(s.until - s.recorded_at) filter (where s.wanted), '0'))::numeric, 3)
           as wanted_s,
       round((100 * extract(epoch from coalesce(sum(s.until - s.recorded_at) filter (where s.wanted and not s.held), '0'))
           / nullif(extract(epoch from sum(s.until - s.recorded_at) filter (where s.wanted)), 0))::numeric, 3)
           as without_owner_percent
from period s
join deployment d on d.id = s.deployment_id and d.type = 'deployment'
group by s.deployment_id, d.package_name, d.package_version, d.address;

comment on view time_without_owner is
    'For each deployment: how long no unit held it while it was enabled, from its creation (or the last archive) until now.';
