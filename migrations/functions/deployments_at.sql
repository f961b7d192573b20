-- Each deployment that existed at a time, and its holder, from the log alone and by the fold function of the
-- projection. A plain SQL function, so that the planner sees the time and opens no later chunk. It reads what had been
-- recorded by p_at, or, with p_position, the events up to that position; 'infinity' is now.

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
                   filter (where e.type in (
                       'DeploymentCreated', 'DeploymentChanged', 'DeploymentSnapshot', 'DeploymentCarried'
                   )))[1] as specification,
               (array_agg(e.type = 'DeploymentEnabled' or coalesce((e.data ->> 'enabled')::boolean, false)
                   order by e.stream_version desc)
                   filter (where e.type <> 'DeploymentRestartRequested'))[1] as enabled
        from event e
        where e.stream_id like 'deployment-%'
          and e.recorded_at <= p_at
          and (p_position is null or e.position <= p_position)
        group by e.deployment_id
        having (array_agg(e.type order by e.stream_version desc))[1] <> 'DeploymentDeleted'
    )
    select s.deployment_id, s.specification ->> 'package_name', s.specification ->> 'package_version',
           s.specification ->> 'type', s.enabled,
           coalesce(a.address, ''), coalesce(a.stream_version, 0), a.since
    from specified s
    -- An assignment event alone says which unit holds the row from then on, so the last one is the whole fold. The last
    -- is the one with the highest version, because a clock that was set back gives later events earlier times.
    left join lateral (
        select fold_deployment_address('', e.type, e.data) as address, e.stream_version,
               case when e.type in ('AssignmentSnapshot', 'AssignmentCarried') then (e.data ->> 'since')::timestamptz
                    else e.recorded_at end as since
        from event e
        where e.stream_id = 'assignment-' || s.deployment_id
          and e.recorded_at <= p_at
          and (p_position is null or e.position <= p_position)
        order by e.stream_version desc
        limit 1
    ) a on true;
end;
