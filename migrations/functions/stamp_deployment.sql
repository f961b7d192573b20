-- A trigger function: keeps the columns of a deployment that are not for people to set, and the id, which is fixed.

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
