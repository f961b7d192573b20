-- A trigger function: people write deployments in plain SQL, and an insert becomes events, with one notification per
-- statement.

create or replace function record_deployment_insert() returns trigger
language plpgsql security definer set search_path from current as $$
begin
    if not exists (select from new_row) then
        return null;
    end if;
    insert into assignment_order (deployment_id, version, assignment)
    select n.id, 0, 'free' from new_row n
    on conflict on constraint assignment_order_has_one_event_per_version do nothing;
    insert into event (stream_id, stream_version, type, deployment_id, data)
    select 'deployment-' || n.id, n.revision, 'DeploymentCreated', n.id, describe_deployment(n.*) from new_row n;
    -- If the row of this id was deleted and its events are archived, the stream continues from here. Asked only for such
    -- rows, because the question locks every chunk of the log.
    if exists (select from new_row n where n.address_version > 0) then
        insert into event (stream_id, stream_version, type, deployment_id, data)
        select 'assignment-' || n.id, n.address_version, 'AssignmentSnapshot', n.id,
               jsonb_build_object('deployment_id', n.id, 'holder', '', 'since', clock_timestamp())
        from new_row n
        where n.address_version > 0 and not exists (select from event e where e.stream_id = 'assignment-' || n.id);
    end if;
    perform follow_address_set_by_hand(n.id, n.address_version, '', n.address) from new_row n where n.address <> '';
    -- Rows that are held, or that every unit runs, concern units that nobody can name here.
    perform wake('deployment', case
        when exists (select from new_row n where n.address <> '' or n.type <> 'deployment') then '*'
        else units_to_wake((select count(*) from new_row n where n.enabled)) end);
    return null;
end
$$;
