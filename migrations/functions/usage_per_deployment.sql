-- For people who query in SQL; docs/sql.md shows it with its result. Works without TimescaleDB. Rolled up samples count
-- in the bucket in which their hour begins.

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
