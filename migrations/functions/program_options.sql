-- What a row says about its program beyond package, command, args and env: the columns that differ from their defaults,
-- as nodeunit.domain.program_options has them.

create or replace function program_options(p_row deployment) returns jsonb
language sql immutable
as $$ select jsonb_strip_nulls(jsonb_build_object(
    'cwd', nullif(p_row.cwd, ''),
    'stop_grace_s', p_row.stop_grace_s,
    'stop_signal', nullif(p_row.stop_signal, 'TERM'),
    'memory_limit_mb', p_row.memory_limit_mb,
    'cpu_weight', p_row.cpu_weight,
    'process_limit', p_row.process_limit,
    'restart', nullif(p_row.restart, 'always'),
    'restart_limit', p_row.restart_limit,
    'startup_check', nullif(p_row.startup_check, ''),
    'startup_timeout_s', nullif(p_row.startup_timeout_s, 60),
    'liveness_check', nullif(p_row.liveness_check, ''),
    'wants_port', nullif(p_row.wants_port, false),
    'secrets', nullif(p_row.secrets, '{}')
)) $$;
