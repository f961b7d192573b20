-- A trigger function: keeps the environment that an update replaces, the last twenty of a row, and none of a deleted row.

create or replace function keep_former_env() returns trigger
language plpgsql security definer set search_path from current as $$
begin
    if tg_op = 'DELETE' then
        delete from former_env f using old_row o where f.deployment_id = o.id;
        return null;
    end if;
    -- DeploymentChanged has the next revision; a change of enabled in the same statement has the one after it.
    insert into former_env (deployment_id, until_revision, env)
    select o.id, o.revision + 1, o.env from old_row o join new_row n using (id)
    where n.env <> o.env and n.revision > o.revision;
    if found then
        delete from former_env f using old_row o join new_row n using (id)
        where f.deployment_id = o.id and n.env <> o.env and f.until_revision <= (
            select k.until_revision from former_env k where k.deployment_id = o.id
            order by k.until_revision desc offset 20 limit 1
        );
    end if;
    return null;
end
$$;
