-- What a row needs of a unit: [name@version, whether it has a command, runtime, names of secrets]. Rows of the same
-- needs can be run by the same units. The same list as nodeunit.domain.can_run.Needs.

create or replace function needs_of(p_row deployment) returns jsonb
language plpgsql immutable as $$
begin
    return jsonb_build_array(
        p_row.package_name || '@' || p_row.package_version,
        p_row.command <> '',
        runtime_of(p_row.*),
        case when p_row.secrets = '{}' then '[]' else secret_names(p_row.secrets) end
    );
end
$$;
