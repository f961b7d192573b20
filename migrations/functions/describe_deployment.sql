-- A deployment as its events describe it. The values of env stay out of the log, because they may be secrets.

create or replace function describe_deployment(p_row deployment) returns jsonb
language plpgsql stable as $$
begin
    return jsonb_build_object(
        'package_name', p_row.package_name, 'package_version', p_row.package_version,
        'command', p_row.command, 'args', p_row.args,
        'env_names', coalesce((select jsonb_agg(k order by k) from jsonb_object_keys(p_row.env) k), '[]'),
        'type', p_row.type, 'enabled', p_row.enabled, 'on_disconnect', p_row.on_disconnect,
        'runtime', runtime_of(p_row.*), 'options', program_options(p_row.*), 'by', session_user
    );
end
$$;
