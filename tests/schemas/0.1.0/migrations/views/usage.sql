-- Usage of CPU and memory, for people who ask in SQL. docs/sql.md shows each with its result. Without TimescaleDB too.
-- Samples that were rolled up count by the hour: in the bucket in which their hour begins.

create or replace function usage_per_unit(
    bucket interval default '1 minute',
    since timestamptz default now() - interval '1 hour', until timestamptz default 'infinity'
) returns table (
    bucket_start timestamptz, unit text, samples bigint, cpu_percent_avg double precision, cpu_percent_max double precision,
    memory_mb_avg double precision, memory_mb_max double precision, unit_address text
)
language sql stable parallel safe
begin atomic
    with sampled as (
        select u.recorded_at, u.unit_address, 1::bigint as samples, u.cpu_percent, u.cpu_percent as cpu_percent_max,
               u.memory_mb, u.memory_mb as memory_mb_max
        from usage u
        where u.deployment_id is null
          and u.recorded_at >= usage_per_unit.since and u.recorded_at < usage_per_unit.until
        union all
        select h.hour, h.unit_address, h.samples, h.cpu_percent_avg, h.cpu_percent_max, h.memory_mb_avg, h.memory_mb_max
        from usage_hourly h
        where h.deployment_id is null and h.hour >= usage_per_unit.since and h.hour < usage_per_unit.until
    )
    select date_bin(usage_per_unit.bucket, s.recorded_at, '2000-01-01 00:00Z'),
           coalesce(n.name, s.unit_address), sum(s.samples)::bigint,
           sum(s.cpu_percent * s.samples) / sum(s.samples), max(s.cpu_percent_max),
           sum(s.memory_mb * s.samples) / sum(s.samples), max(s.memory_mb_max), s.unit_address
    from sampled s
    left join unit n on n.address = s.unit_address
    group by 1, n.name, s.unit_address
    order by 1, 2;
end;

comment on function usage_per_unit is
    'CPU (percent of the whole machine) and resident memory (MiB) of each unit with all its programs, by time bucket.';

create or replace function usage_per_deployment(
    bucket interval default '1 minute',
    since timestamptz default now() - interval '1 hour', until timestamptz default 'infinity'
) returns table (
    bucket_start timestamptz, deployment_id uuid, package_name text, package_version text, unit text, samples bigint,
    cpu_percent_avg double precision, cpu_percent_max double precision,
    memory_mb_avg double precision, memory_mb_max double precision, unit_address text
)
language sql stable parallel safe
begin atomic
    with sampled as (
        select u.recorded_at, u.unit_address, u.deployment_id, 1::bigint as samples, u.cpu_percent,
               u.cpu_percent as cpu_percent_max, u.memory_mb, u.memory_mb as memory_mb_max
        from usage u
        where u.deployment_id is not null
          and u.recorded_at >= usage_per_deployment.since and u.recorded_at < usage_per_deployment.until
        union all
        select h.hour, h.unit_address, h.deployment_id, h.samples, h.cpu_percent_avg, h.cpu_percent_max,
               h.memory_mb_avg, h.memory_mb_max
        from usage_hourly h
        where h.deployment_id is not null
          and h.hour >= usage_per_deployment.since and h.hour < usage_per_deployment.until
    )
    select date_bin(usage_per_deployment.bucket, s.recorded_at, '2000-01-01 00:00Z'),
           s.deployment_id, d.package_name, d.package_version, coalesce(n.name, s.unit_address), sum(s.samples)::bigint,
           sum(s.cpu_percent * s.samples) / sum(s.samples), max(s.cpu_percent_max),
           sum(s.memory_mb * s.samples) / sum(s.samples), max(s.memory_mb_max), s.unit_address
    from sampled s
    left join deployment d on d.id = s.deployment_id
    left join unit n on n.address = s.unit_address
    group by 1, s.deployment_id, d.package_name, d.package_version, n.name, s.unit_address
    order by 1, 2, 5;
end;

comment on function usage_per_deployment is
    'CPU (percent of the whole machine) and resident memory (MiB) of each program on each unit, by time bucket.';

create or replace function usage_at(moment timestamptz)
returns table (
    unit text, deployment_id uuid, package_name text, package_version text,
    cpu_percent double precision, memory_mb double precision, sampled_at timestamptz, unit_address text
)
language sql stable parallel safe
begin atomic
    select coalesce(n.name, s.unit_address), s.deployment_id, d.package_name, d.package_version,
           s.cpu_percent, s.memory_mb, s.recorded_at, s.unit_address
    from (
        select distinct on (u.unit_address, u.deployment_id) u.*
        from usage u
        -- Who has been silent for a minute is not there any more.
        where u.recorded_at > usage_at.moment - interval '1 minute' and u.recorded_at <= usage_at.moment
        order by u.unit_address, u.deployment_id, u.recorded_at desc
    ) s
    left join deployment d on d.id = s.deployment_id
    left join unit n on n.address = s.unit_address
    order by 1, s.deployment_id nulls first;
end;

comment on function usage_at is
    'What each unit (deployment_id is null) and each program used at a moment: the last sample of the minute before it.';

create or replace view top_consumers as
select u.deployment_id, u.package_name, u.package_version, u.unit, u.samples,
       u.cpu_percent_avg, u.cpu_percent_max, u.memory_mb_avg, u.memory_mb_max,
       rank() over (order by u.cpu_percent_avg desc) as cpu_rank,
       rank() over (order by u.memory_mb_avg desc) as memory_rank
from usage_per_deployment('36500 days', now() - interval '10 minutes') u;

comment on view top_consumers is 'What each program used in the last ten minutes, and its rank among all of the fleet.';
