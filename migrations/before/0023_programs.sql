-- How a row wants its program to be installed, run, checked and limited. All of it is optional.

-- Functions of 0.1.0 in `return` form keep columns with defaults from being added, so they are written as text first.
do $$
begin
    if to_regproc('describe_deployment') is null then
        return;
    end if;
    create or replace function describe_deployment(p_row deployment) returns jsonb
    language sql stable
    as $f$ select jsonb_build_object(
        'package_name', p_row.package_name, 'package_version', p_row.package_version,
        'command', p_row.command, 'args', p_row.args,
        'env_names', coalesce((select jsonb_agg(k order by k) from jsonb_object_keys(p_row.env) k), '[]'),
        'type', p_row.type, 'enabled', p_row.enabled, 'on_disconnect', p_row.on_disconnect, 'by', session_user
    ) $f$;
    create or replace function changed_fields(p_old deployment, p_new deployment) returns text[]
    language sql immutable
    as $f$ select array_remove(array[
        case when p_old.package_name <> p_new.package_name then 'package_name' end,
        case when p_old.package_version <> p_new.package_version then 'package_version' end,
        case when p_old.command <> p_new.command then 'command' end,
        case when p_old.args <> p_new.args then 'args' end,
        case when p_old.env <> p_new.env then 'env' end,
        case when p_old.type <> p_new.type then 'type' end,
        case when p_old.on_disconnect <> p_new.on_disconnect then 'on_disconnect' end
    ], null) $f$;
end
$$;

alter table deployment
    add column runtime text not null default '',
    add column cwd text not null default '',
    add column stop_grace_s double precision,
    add column stop_signal text not null default 'TERM',
    add column memory_limit_mb integer,
    add column cpu_weight integer,
    add column process_limit integer,
    add column restart text not null default 'always',
    add column restart_limit integer,
    add column startup_check text not null default '',
    add column startup_timeout_s double precision not null default 60,
    add column liveness_check text not null default '',
    add column wants_port boolean not null default false,
    add column secrets jsonb not null default '{}';

alter table deployment
    add constraint deployment_runtime_is_npm_python_or_command
        check (runtime in ('', 'npm', 'python', 'command')) not valid,
    add constraint deployment_runtime_command_has_a_command check (runtime <> 'command' or command <> '') not valid,
    add constraint deployment_runtime_npm_or_python_has_a_package
        check (runtime not in ('npm', 'python') or package_name <> '') not valid,
    add constraint deployment_cwd_is_an_absolute_path
        check (cwd ~ '^(/[^[:cntrl:]]*)?$' and octet_length(cwd) <= 4096) not valid,
    add constraint deployment_stop_grace_s_is_0_to_3600 check (stop_grace_s between 0 and 3600) not valid,
    add constraint deployment_stop_signal_can_be_handled
        check (stop_signal in ('TERM', 'INT', 'QUIT', 'HUP', 'USR1', 'USR2')) not valid,
    add constraint deployment_memory_limit_mb_is_at_least_1 check (memory_limit_mb >= 1) not valid,
    add constraint deployment_cpu_weight_is_1_to_10000 check (cpu_weight between 1 and 10000) not valid,
    add constraint deployment_process_limit_is_at_least_1 check (process_limit >= 1) not valid,
    add constraint deployment_restart_is_always_on_failure_or_never
        check (restart in ('always', 'on_failure', 'never')) not valid,
    add constraint deployment_restart_limit_is_at_least_0 check (restart_limit >= 0) not valid,
    add constraint deployment_startup_check_is_tcp_http_or_file check (
        startup_check ~ '^((tcp:(\$PORT|[0-9]{1,5})|http:(\$PORT|[0-9]{1,5})/[!-~]*|file:/[^[:cntrl:]?]+(\?[0-9]{1,6})?))?$'
        and octet_length(startup_check) <= 1024
    ) not valid,
    add constraint deployment_liveness_check_is_tcp_http_or_file check (
        liveness_check ~ '^((tcp:(\$PORT|[0-9]{1,5})|http:(\$PORT|[0-9]{1,5})/[!-~]*|file:/[^[:cntrl:]?]+(\?[0-9]{1,6})?))?$'
        and octet_length(liveness_check) <= 1024
    ) not valid,
    add constraint deployment_startup_timeout_s_is_1_to_86400 check (startup_timeout_s between 1 and 86400) not valid,
    add constraint deployment_check_of_port_has_a_port check (
        wants_port or (startup_check not like '%:$PORT%' and liveness_check not like '%:$PORT%')
    ) not valid,
    add constraint deployment_secrets_is_object_of_plain_names check (
        jsonb_typeof(secrets) = 'object' and octet_length(secrets::text) <= 16384
        and not jsonb_path_exists(secrets, 'strict $.* ? (@.type() <> "string")')
        and not jsonb_path_exists(secrets, 'lax $.keyvalue() ? (!(@.value like_regex "^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$"))')
        and not jsonb_path_exists(secrets, 'lax $.keyvalue() ? (@.key == "" || @.key like_regex "=")')
    ) not valid;

comment on column deployment.runtime is
    'How the program is made available: npm, python or command; empty: command if the row has one, else npm.';
comment on column deployment.cwd is 'The working directory; empty: that of the package, or one of the deployment''s own.';
comment on column deployment.stop_grace_s is 'Seconds from the stop signal to SIGKILL; null: as the unit is set.';
comment on column deployment.memory_limit_mb is 'MiB of the whole process tree; beyond it the tree ends and is restarted.';
comment on column deployment.cpu_weight is 'The share of CPU in comparison with other programs, as cpu.weight of cgroup v2; null: 100.';
comment on column deployment.process_limit is 'How many processes and threads the tree may have.';
comment on column deployment.restart is 'When an ended program is started again: always, on_failure or never.';
comment on column deployment.restart_limit is 'How often the program is started again without a healthy run in between; then it is parked. Null: without a limit.';
comment on column deployment.startup_check is 'tcp:PORT, http:PORT/path or file:PATH that must hold before the program counts as running.';
comment on column deployment.liveness_check is 'tcp:PORT, http:PORT/path or file:PATH?SECONDS that must hold as long as the program runs.';
comment on column deployment.wants_port is 'The unit chooses a free port and gives it as PORT.';
comment on column deployment.secrets is 'Environment variables by the names of the secret files that the unit has.';
