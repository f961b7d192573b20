-- The fields of the specification in which two versions of a row differ; any of them restarts the program.

create or replace function changed_fields(p_old deployment, p_new deployment) returns text[]
language sql immutable
as $$ select array_remove(array[
    case when p_old.package_name <> p_new.package_name then 'package_name' end,
    case when p_old.package_version <> p_new.package_version then 'package_version' end,
    case when p_old.command <> p_new.command then 'command' end,
    case when p_old.args <> p_new.args then 'args' end,
    case when p_old.env <> p_new.env then 'env' end,
    case when p_old.type <> p_new.type then 'type' end,
    case when p_old.on_disconnect <> p_new.on_disconnect then 'on_disconnect' end
], null) $$;
