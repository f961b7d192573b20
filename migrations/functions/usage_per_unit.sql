-- For people who query in SQL; docs/sql.md shows it with its result. Works without TimescaleDB. Rolled up samples count
-- in the bucket in which their hour begins.

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
