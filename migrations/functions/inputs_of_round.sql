-- The inputs of a claim round, in one round trip: the units that are online, and the oldest candidates. Rows that no
-- unit can run, because what they need (needs_of) is in p_refused, are left out. Besides what a round decides on, a
-- candidate has what such a program usually uses, and a unit what it reserves for one that was never measured.

create or replace function inputs_of_round(p_refused jsonb[], p_limit integer)
returns table (units jsonb, candidates jsonb)
-- PL/pgSQL keeps the plan for the session. An SQL function is planned with every call, which took most of the time.
language plpgsql stable security definer set search_path from current set plan_cache_mode = force_generic_plan as $$
#variable_conflict use_column
begin
    return query
    with online as (
        select u.*, measure(l.cpu_percent) as cpu_percent, measure(l.memory_mb) as memory_mb
        from unit u
        join lease l on l.address = u.address and l.epoch = u.epoch
        where u.membership = 'present' and not u.cordoned and l.inactive_at > clock_timestamp()
    ),
    held as (
        select d.address, count(*) as deployments
        from deployment d
        where d.enabled and d.type = 'deployment' and d.address <> ''
        group by d.address
    ),
    -- Rows that were claimed and not measured since.
    pending as (
        select d.address, d.package_name, d.package_version, count(*) as programs
        from deployment d
        where d.enabled and d.type = 'deployment' and d.address <> ''
          and not exists (
              select from current_usage c
              where c.deployment_id = d.id and c.claim_version = d.address_version
          )
        group by d.address, d.package_name, d.package_version
    ),
    candidate as materialized (
        (
            -- By index for each absent unit (`offset 0` keeps the planner to it), because most of them hold nothing.
            select d.*, 0 as rank
            from lease l
            cross join lateral (
                select h.* from deployment h
                where h.address = l.address and h.address <> '' and (p_refused = '{}' or needs_of(h.*) <> all (p_refused))
                offset 0
            ) d
            where l.epoch is null and d.enabled and d.type = 'deployment'
              and not exists (
                  select from unusable_deployment b where b.deployment_id = d.id and b.revision = d.revision
              )
            order by d.updated_at, d.created_at, d.id
            limit p_limit
        )
        union all
        (
            select d.*, 1 as rank
            from deployment d
            where d.enabled and d.type = 'deployment' and d.address = ''
              and (p_refused = '{}' or needs_of(d.*) <> all (p_refused))
              and not exists (
                  select from unusable_deployment b where b.deployment_id = d.id and b.revision = d.revision
              )
            order by d.updated_at, d.created_at, d.id
            limit p_limit
        )
        order by rank, updated_at, created_at, id
        limit p_limit
    ),
    -- The usage of the measured programs of the same package.
    typical as (
        select p.package_name, p.package_version, avg(measure(c.cpu_percent)) as cpu_percent, avg(measure(c.memory_mb)) as memory_mb
        from (
            select package_name, package_version from pending union select package_name, package_version from candidate
        ) p
        join deployment d using (package_name, package_version)
        join current_usage c on c.deployment_id = d.id
        group by p.package_name, p.package_version
    ),
    reserved as (
        select p.address,
               sum(p.programs * coalesce(t.cpu_percent, measure(u.reserved_cpu_percent))) as cpu_percent,
               sum(p.programs * coalesce(t.memory_mb, measure(u.reserved_memory_mb))) as memory_mb
        from pending p
        join unit u on u.address = p.address
        left join typical t using (package_name, package_version)
        group by p.address
    )
    select
        coalesce((
            select jsonb_agg(jsonb_build_object(
                'address', o.address, 'policy', o.policy, 'cpu_weight', coalesce(measure(o.cpu_weight), 0.5),
                'memory_weight', coalesce(measure(o.memory_weight), 0.5), 'trusted', o.trusted, 'custom_command', o.custom_command,
                'runtimes', coalesce(o.runtimes, '{}'), 'secrets', coalesce(o.secrets, '{}'),
                'deployment_count', coalesce(h.deployments, 0),
                'reserve', jsonb_build_object(
                    'cpuPercent', coalesce(measure(o.reserved_cpu_percent), 0), 'memoryMb', coalesce(measure(o.reserved_memory_mb), 0)),
                'measured', case when o.cpu_percent is not null and o.memory_mb is not null then jsonb_build_object(
                    'cpuPercent', o.cpu_percent, 'memoryMb', o.memory_mb) end,
                'reserved', jsonb_build_object(
                    'cpuPercent', coalesce(r.cpu_percent, 0), 'memoryMb', coalesce(r.memory_mb, 0))
            ) order by o.address)
            from online o
            left join held h on h.address = o.address
            left join reserved r on r.address = o.address
        ), '[]'),
        coalesce((
            select jsonb_agg(jsonb_build_object(
                'id', c.id, 'version', c.address_version, 'holder', c.address,
                'package_name', c.package_name, 'package_version', c.package_version,
                'has_command', c.command <> '', 'runtime', case when c.runtime <> '' then c.runtime when c.command <> '' then 'command' else 'npm' end,
                'secrets', case when c.secrets = '{}' then '[]' else secret_names(c.secrets) end,
                'typical', case when t.cpu_percent is not null and t.memory_mb is not null then jsonb_build_object(
                    'cpuPercent', t.cpu_percent, 'memoryMb', t.memory_mb) end
            ) order by c.rank, c.updated_at, c.created_at, c.id)
            from candidate c
            left join typical t using (package_name, package_version)
        ), '[]');
end
$$;
