-- Each deployment by the events before p_before: the data of its snapshot event.

create or replace function deployments_archived(p_before timestamptz) returns table (stream_id text, data jsonb)
language sql stable set search_path from current set timezone = 'UTC'
begin atomic
    select e.stream_id,
           (array_agg(e.data - 'changed' order by e.stream_version desc)
               filter (where e.type in ('DeploymentCreated', 'DeploymentChanged', 'DeploymentSnapshot', 'DeploymentCarried')))[1]
           || jsonb_build_object(
               'enabled', (array_agg(e.type = 'DeploymentEnabled' or coalesce((e.data ->> 'enabled')::boolean, false)
                   order by e.stream_version desc) filter (where e.type <> 'DeploymentRestartRequested'))[1],
               'created_at', greatest(
                   max((e.data ->> 'created_at')::timestamptz) filter (where e.type in ('DeploymentSnapshot', 'DeploymentCarried')),
                   max(e.recorded_at) filter (where e.type = 'DeploymentCreated'))
           )
    from event e
    where e.recorded_at < p_before and e.stream_id like 'deployment-%'
    group by e.stream_id
    having (array_agg(e.type order by e.stream_version desc))[1] <> 'DeploymentDeleted';
end;
