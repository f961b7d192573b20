-- A trigger function: an update becomes events, with one notification per statement.

create or replace function record_deployment_update() returns trigger
language plpgsql security definer set search_path from current as $$
declare
    v_told bigint;
    v_moved bigint := 0;
begin
    -- A claim or a release changes only the address and its version, and has recorded that itself.
    if not exists (
        select from old_row o join new_row n using (id)
        where n.revision > o.revision or (n.address <> o.address and n.address_version = o.address_version)
    ) then
        return null;
    end if;
    insert into event (stream_id, stream_version, type, deployment_id, data)
    select 'deployment-' || n.id,
           case when c.type = 'DeploymentChanged' then o.revision + 1 else n.revision end,
           c.type, n.id, c.data
    from old_row o
    join new_row n using (id)
    cross join lateral (
        select 'DeploymentChanged' as type,
               describe_deployment(n.*) || jsonb_build_object('changed', changed_fields(o.*, n.*)) as data
        where cardinality(changed_fields(o.*, n.*)) > 0
        union all
        select case when n.enabled then 'DeploymentEnabled' else 'DeploymentDisabled' end,
               jsonb_build_object('by', session_user)
        where n.enabled <> o.enabled
        union all
        select 'DeploymentRestartRequested', jsonb_build_object('by', session_user)
        where cardinality(changed_fields(o.*, n.*)) = 0 and n.enabled = o.enabled
    ) c
    where n.revision > o.revision;
    get diagnostics v_told = row_count;

    -- A restart resolves a tag or a range anew.
    delete from program_version v using old_row o join new_row n using (id)
    where v.deployment_id = n.id and n.revision > o.revision
      and cardinality(changed_fields(o.*, n.*)) = 0 and n.enabled = o.enabled;

    -- The projection changes address together with its version; a person, who may not set the version, changes the address
    -- alone. No setting of the session is asked, because anybody can set one.
    perform follow_address_set_by_hand(n.id, o.address_version, o.address, n.address)
    from old_row o join new_row n using (id)
    where n.address <> o.address and n.address_version = o.address_version;
    get diagnostics v_moved = row_count;
    if v_moved > 0 then
        perform notify_endpoints_of_rows((
            select array_agg(n.id) from old_row o join new_row n using (id) where n.address <> o.address
        ));
    end if;
    if v_told + v_moved > 0 then
        perform wake('deployment', '*');
    end if;
    return null;
end
$$;
