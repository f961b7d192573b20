-- People write deployments in plain SQL; these triggers turn what they do into events, one notification a statement.
-- The values of env stay out of the log: they may be secrets.

create or replace function describe_deployment(p_row deployment) returns jsonb
language sql stable
return jsonb_build_object(
    'package_name', p_row.package_name, 'package_version', p_row.package_version,
    'command', p_row.command, 'args', p_row.args,
    'env_names', coalesce((select jsonb_agg(k order by k) from jsonb_object_keys(p_row.env) k), '[]'),
    'type', p_row.type, 'enabled', p_row.enabled, 'on_disconnect', p_row.on_disconnect, 'by', session_user
);

-- What of the specification differs; a program runs the whole of it.
create or replace function changed_fields(p_old deployment, p_new deployment) returns text[]
language sql immutable
return array_remove(array[
    case when p_old.package_name <> p_new.package_name then 'package_name' end,
    case when p_old.package_version <> p_new.package_version then 'package_version' end,
    case when p_old.command <> p_new.command then 'command' end,
    case when p_old.args <> p_new.args then 'args' end,
    case when p_old.env <> p_new.env then 'env' end,
    case when p_old.type <> p_new.type then 'type' end,
    case when p_old.on_disconnect <> p_new.on_disconnect then 'on_disconnect' end
], null);

create or replace function stamp_deployment() returns trigger
language plpgsql security definer set search_path from current as $$
begin
    if tg_op = 'INSERT' then
        new.revision := 1;
        new.address_version := 0;
        new.address_since := null;
        return new;
    end if;
    if new.id <> old.id then
        raise exception 'the id of deployment % is fixed', old.id
            using errcode = 'check_violation', constraint = 'deployment_id_is_fixed',
                  hint = 'insert a new row and delete this one';
    end if;
    new.revision := old.revision + (cardinality(changed_fields(old, new)) > 0)::integer + (old.enabled <> new.enabled)::integer;
    new.updated_at := now();
    return new;
end
$$;

-- Follows an address that somebody set by hand: a release of what was held, an assignment of what is wanted.
create or replace function follow_address_set_by_hand(p_id uuid, p_version integer, p_old text, p_new text) returns void
language plpgsql as $$
declare
    v_appended boolean := true;
begin
    if p_new <> '' and not exists (select from lease where address = p_new) then
        raise exception 'no unit ever joined under the address %', p_new
            using errcode = 'NU004', constraint = 'deployment_address_is_of_a_known_unit',
                  hint = 'look the address up in table unit, or leave it empty for any unit';
    end if;
    if p_old <> '' then
        p_version := p_version + 1;
        v_appended := append_assignment(p_id, p_version, '', 'DeploymentReleased', p_old,
            jsonb_build_object('deployment_id', p_id, 'holder', p_old, 'reason', 'by_hand'), gen_random_uuid());
    end if;
    if v_appended and p_new <> '' then
        p_version := p_version + 1;
        v_appended := append_assignment(p_id, p_version, p_new, 'DeploymentAssigned', p_new,
            jsonb_build_object('deployment_id', p_id, 'holder', p_new, 'by', session_user), gen_random_uuid());
    end if;
    if not v_appended then
        raise exception 'deployment % was claimed or released at the same moment', p_id
            using errcode = 'serialization_failure', hint = 'look at its address and try again';
    end if;
end
$$;

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

create or replace function record_deployment_update() returns trigger
language plpgsql security definer set search_path from current as $$
declare
    v_told bigint;
    v_moved bigint := 0;
begin
    insert into event (stream_id, stream_version, type, deployment_id, data)
    select 'deployment-' || n.id,
           case when c.type = 'DeploymentChanged' then o.revision + 1 else n.revision end,
           c.type, n.id, c.data
    from old_row o
    join new_row n using (id)
    cross join lateral (
        select 'DeploymentChanged' as type,
               describe_deployment(n) || jsonb_build_object('changed', changed_fields(o, n)) as data
        where cardinality(changed_fields(o, n)) > 0
        union all
        select case when n.enabled then 'DeploymentEnabled' else 'DeploymentDisabled' end,
               jsonb_build_object('by', session_user)
        where n.enabled <> o.enabled
    ) c
    where n.revision > o.revision;
    get diagnostics v_told = row_count;

    -- The projection moves address together with its version; a hand moves the address alone.
    if current_setting('nodeunit.rebuilding', true) is distinct from 'on' then
        perform follow_address_set_by_hand(n.id, o.address_version, o.address, n.address)
        from old_row o join new_row n using (id)
        where n.address <> o.address and n.address_version = o.address_version;
        get diagnostics v_moved = row_count;
    end if;
    if v_told + v_moved > 0 then
        perform wake('deployment', '*');
    end if;
    return null;
end
$$;

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
    -- In the order in which heartbeats take them, several as well.
    perform from current_usage c join old_row o on o.id = c.deployment_id order by c.deployment_id for update of c;
    delete from current_usage c using old_row o where c.deployment_id = o.id;
    perform wake('deployment', '*');
    return null;
end
$$;

create or replace function refuse_to_truncate_deployment() returns trigger
language plpgsql as $$
begin
    raise exception 'truncate would leave no trace in the log'
        using errcode = 'NU005', hint = 'delete from deployment instead';
end
$$;

create or replace trigger deployment_is_stamped before insert or update on deployment
    for each row execute function stamp_deployment();
create or replace trigger deployment_insert_is_recorded after insert on deployment
    referencing new table as new_row for each statement execute function record_deployment_insert();
create or replace trigger deployment_update_is_recorded after update on deployment
    referencing old table as old_row new table as new_row for each statement execute function record_deployment_update();
create or replace trigger deployment_delete_is_recorded after delete on deployment
    referencing old table as old_row for each statement execute function record_deployment_delete();
create or replace trigger deployment_is_not_truncated before truncate on deployment
    for each statement execute function refuse_to_truncate_deployment();
