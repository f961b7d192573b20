-- A trigger function: a delete becomes events, with one notification per statement.

create or replace function record_deployment_delete() returns trigger
language plpgsql security definer set search_path from current as $$
begin
    if not exists (select from old_row) then
        return null;
    end if;
    perform append_assignment(o.id, o.address_version + 1, '', 'DeploymentReleased', o.address,
        jsonb_build_object('deployment_id', o.id, 'holder', o.address, 'reason', 'deleted'), gen_random_uuid())
    from old_row o where o.address <> '';
    insert into event (stream_id, stream_version, type, deployment_id, data)
    select 'deployment-' || o.id, o.revision + 1, 'DeploymentDeleted', o.id, jsonb_build_object('by', session_user)
    from old_row o;
    insert into former_deployment (deployment_id, revision)
    select o.id, o.revision + 1 from old_row o
    on conflict on constraint former_deployment_pkey do update set revision = excluded.revision;
    delete from unusable_deployment b using old_row o where b.deployment_id = o.id;
    delete from program_version v using old_row o where v.deployment_id = o.id;
    -- In the order in which heartbeats lock them, also if there are several.
    perform from current_usage c join old_row o on o.id = c.deployment_id order by c.deployment_id for update of c;
    delete from current_usage c using old_row o where c.deployment_id = o.id;
    perform notify_endpoints_of_rows((select array_agg(o.id) from old_row o));
    perform wake('deployment', '*');
    return null;
end
$$;
