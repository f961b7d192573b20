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

create or replace trigger deployment_is_stamped before insert or update on deployment
    for each row execute function stamp_deployment();
