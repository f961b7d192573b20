-- The state of the fleet at a moment, from the log alone and by the fold functions of the projections. Plain SQL functions,
-- so that the planner sees the moment and opens no chunk after it.
--
-- A moment is what had been recorded by p_at, or, with p_position, the events up to that position. 'infinity' is now.

-- Each deployment that existed, and who held it.
create or replace function deployments_at(p_at timestamptz, p_position bigint default null)
returns table (
    deployment_id uuid, package_name text, package_version text, type text, enabled boolean,
    address text, address_version integer, address_since timestamptz
)
language sql stable parallel safe
begin atomic
    with specified as (
        select e.deployment_id,
               (array_agg(e.data order by e.stream_version desc)
                   filter (where e.type in ('DeploymentCreated', 'DeploymentChanged', 'DeploymentCarried')))[1] as specification,
               (array_agg(e.type = 'DeploymentEnabled' or coalesce((e.data ->> 'enabled')::boolean, false)
                   order by e.stream_version desc))[1] as enabled
        from event e
        where e.stream_id like 'deployment-%'
          and e.recorded_at <= p_at
          and (p_position is null or e.position <= p_position)
        group by e.deployment_id
        having not bool_or(e.type = 'DeploymentDeleted')
    )
    select s.deployment_id, s.specification ->> 'package_name', s.specification ->> 'package_version',
           s.specification ->> 'type', s.enabled,
           coalesce(a.address, ''), coalesce(a.stream_version, 0), a.since
    from specified s
    -- An assignment event says by itself who holds the row from then on, so the newest one is the whole fold.
    left join lateral (
        select fold_deployment_address('', e.type, e.data) as address, e.stream_version,
               case when e.type = 'AssignmentCarried' then (e.data ->> 'since')::timestamptz else e.recorded_at end as since
        from event e
        where e.deployment_id = s.deployment_id
          and e.stream_id like 'assignment-%'
          and e.recorded_at <= p_at
          and (p_position is null or e.position <= p_position)
        order by e.recorded_at desc
        limit 1
    ) a on true;
end;

-- Each unit that had ever joined.
create or replace function units_at(p_at timestamptz, p_position bigint default null) returns setof unit
language sql stable parallel safe
begin atomic
    select (folded.u).*
    from (
        select unit_of(e order by e.stream_version) as u
        from event e
        where e.stream_id like 'unit-%'
          and e.recorded_at <= p_at
          and (p_position is null or e.position <= p_position)
        group by e.unit_address
    ) folded;
end;

-- A moment by which everything up to a position had been recorded, so that looking at a position opens no later chunks.
-- Positions and times rise together, but for writers at the same instant, so it is found by halving; the hour is far
-- more than any writer takes from the one to the other. Volatile, so that in deployments_at(moment_of_position(n), n) it
-- is called once: a stable argument would be put in place of each p_at, and called for each row.
create or replace function moment_of_position(p_position bigint) returns timestamptz
language plpgsql volatile as $$
declare
    v_from timestamptz := (select min(e.recorded_at) from event e);
    v_to timestamptz := (select max(e.recorded_at) from event e);
    v_middle timestamptz;
    v_position bigint;
begin
    while v_to - v_from > interval '1 second' loop
        v_middle := v_from + (v_to - v_from) / 2;
        select e.position into v_position
        from event e
        where e.recorded_at >= v_middle
        order by e.recorded_at
        limit 1;
        if v_position <= p_position then
            v_from := v_middle;
        else
            v_to := v_middle;
        end if;
    end loop;
    return v_to + interval '1 hour';
end
$$;
