-- For people who query in SQL; docs/sql.md shows it with its result.

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
        -- A unit without a sample for a minute counts as absent.
        where u.recorded_at > usage_at.moment - interval '1 minute' and u.recorded_at <= usage_at.moment
        order by u.unit_address, u.deployment_id, u.recorded_at desc
    ) s
    left join deployment d on d.id = s.deployment_id
    left join unit n on n.address = s.unit_address
    order by 1, s.deployment_id nulls first;
end;

comment on function usage_at is
    'What each unit (deployment_id is null) and each program used at a moment: the last sample of the minute before it.';
