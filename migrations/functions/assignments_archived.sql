-- The holder of each deployment by the events before p_before: the data of its snapshot event.

create or replace function assignments_archived(p_before timestamptz) returns table (stream_id text, data jsonb)
language sql stable set search_path from current set timezone = 'UTC'
begin atomic
    select e.stream_id, jsonb_build_object(
        'deployment_id', e.deployment_id,
        'holder', deployment_address_of(e.type, e.data order by e.stream_version),
        'since', max(
            case when e.type in ('AssignmentSnapshot', 'AssignmentCarried') then (e.data ->> 'since')::timestamptz else e.recorded_at end
        )
    )
    from event e
    where e.recorded_at < p_before and e.stream_id like 'assignment-%'
      and not exists (
          select from event d
          where d.deployment_id = e.deployment_id and d.type = 'DeploymentDeleted' and d.recorded_at < p_before
            -- The id may have been reused, before or after that time.
            and not exists (
                select from event c
                where c.stream_id = d.stream_id and c.type = 'DeploymentCreated' and c.stream_version > d.stream_version
            )
      )
    group by e.stream_id, e.deployment_id;
end;
