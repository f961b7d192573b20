-- A trigger function: people write deployments in plain SQL, and an insert becomes events, with one notification a statement.

create or replace function record_deployment_insert() returns trigger
language plpgsql security definer set search_path from current as $$
begin
    if not exists (select from new_row) then
        return null;
    end if;
    insert into assignment_order (deployment_id, version, assignment)
    select n.id, 0, 'free' from new_row n;
    insert into event (stream_id, stream_version, type, deployment_id, data)
    select 'deployment-' || n.id, 1, 'DeploymentCreated', n.id, describe_deployment(n) from new_row n;
    perform follow_address_set_by_hand(n.id, 0, '', n.address) from new_row n where n.address <> '';
    perform wake('deployment', '*');
    return null;
end
$$;
