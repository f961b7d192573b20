-- A trigger function: keeps the columns of a deployment that people must not set, and the id, which is fixed.
--
-- A row with a reused id begins where the streams of that id ended. Setting only updated_at requests a restart; writing
-- back a value that was read before requests nothing.

create or replace function stamp_deployment() returns trigger
language plpgsql security definer set search_path from current as $$
declare
    v_changes integer;
begin
    if tg_op = 'INSERT' then
        new.revision := 1;
        new.address_version := 0;
        new.address_since := null;
        -- In an upsert the row may exist; then the update sees the given values.
        if not exists (select from deployment where id = new.id) then
            new.updated_at := now();
            new.created_at := case when new.created_at <= now() and isfinite(new.created_at) then new.created_at else now() end;
            new.address_version := coalesce((select max(o.version) from assignment_order o where o.deployment_id = new.id), -1);
            if new.address_version >= 0 then
                new.revision := 1 + coalesce(
                    (select f.revision from former_deployment f where f.deployment_id = new.id),
                    (select max(e.stream_version) from event e where e.stream_id = 'deployment-' || new.id),
                    0
                );
            end if;
            new.address_version := greatest(new.address_version, 0);
        end if;
        return new;
    end if;
    if new.id <> old.id then
        raise exception 'the id of deployment % is fixed', old.id
            using errcode = 'check_violation', constraint = 'deployment_id_is_fixed',
                  hint = 'insert a new row and delete this one';
    end if;
    -- Every unit runs the row from now on, and no unit holds it.
    if new.type = 'daemon' and old.type <> 'daemon' and new.address = old.address then
        new.address := '';
    end if;
    v_changes := (cardinality(changed_fields(old, new)) > 0)::integer + (old.enabled <> new.enabled)::integer;
    if v_changes = 0 and new.updated_at <> old.updated_at and (new.updated_at > old.updated_at or new.updated_at = now()) then
        v_changes := 1;
    end if;
    new.revision := old.revision + v_changes;
    new.created_at := old.created_at;
    new.updated_at := now();
    return new;
end
$$;
