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
    case when p_old.on_disconnect <> p_new.on_disconnect then 'on_disconnect' end,
    case when p_old.runtime <> p_new.runtime then 'runtime' end,
    case when p_old.cwd <> p_new.cwd then 'cwd' end,
    case when p_old.stop_grace_s is distinct from p_new.stop_grace_s then 'stop_grace_s' end,
    case when p_old.stop_signal <> p_new.stop_signal then 'stop_signal' end,
    case when p_old.memory_limit_mb is distinct from p_new.memory_limit_mb then 'memory_limit_mb' end,
    case when p_old.cpu_weight is distinct from p_new.cpu_weight then 'cpu_weight' end,
    case when p_old.process_limit is distinct from p_new.process_limit then 'process_limit' end,
    case when p_old.restart <> p_new.restart then 'restart' end,
    case when p_old.restart_limit is distinct from p_new.restart_limit then 'restart_limit' end,
    case when p_old.startup_check <> p_new.startup_check then 'startup_check' end,
    case when p_old.startup_timeout_s <> p_new.startup_timeout_s then 'startup_timeout_s' end,
    case when p_old.liveness_check <> p_new.liveness_check then 'liveness_check' end,
    case when p_old.wants_port <> p_new.wants_port then 'wants_port' end,
    case when p_old.secrets <> p_new.secrets then 'secrets' end
], null) $$;
