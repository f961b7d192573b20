-- A unit has installed the package of a row that it runs. The first lock of an exact version counts, and so does the
-- first version that a row was resolved to. Returns what counts, which may be what another unit recorded; no row if the
-- row wants another package by now, or if this unit does not run it. Raises NU001 as require_epoch does.

create or replace function record_install(
    p_address text, p_epoch integer, p_deployment_id uuid, p_runtime text, p_package_name text, p_wanted text,
    p_version text, p_integrity text, p_lock text, p_packages integer
) returns table (version text, integrity text, lock text, packages integer)
language plpgsql security definer set search_path from current as $$
#variable_conflict use_column
begin
    perform require_login_of(p_address);
    -- The lease need not be locked: what a unit has installed stays true when its epoch ends meanwhile.
    perform require_epoch(p_address, p_epoch);
    perform from deployment d
    where d.id = p_deployment_id and (d.address = p_address or d.type = 'daemon')
      and (runtime_of(d.*), d.package_name, d.package_version) = (p_runtime, p_package_name, p_wanted);
    if not found then
        return;
    end if;

    insert into package_lock (runtime, package_name, version, integrity, lock, packages, unit_address)
    values (p_runtime, p_package_name, p_version, p_integrity, p_lock, p_packages, p_address)
    on conflict on constraint package_lock_pkey do nothing;

    insert into program_version as v (deployment_id, runtime, package_name, wanted, version, unit_address)
    values (p_deployment_id, p_runtime, p_package_name, p_wanted, p_version, p_address)
    on conflict on constraint program_version_pkey do update
    set (runtime, package_name, wanted, version, unit_address, resolved_at) =
        (excluded.runtime, excluded.package_name, excluded.wanted, excluded.version, excluded.unit_address, now())
    where (v.runtime, v.package_name, v.wanted) <> (excluded.runtime, excluded.package_name, excluded.wanted);

    return query select i.* from installed_version(p_deployment_id, p_runtime, p_package_name, p_wanted) i;
end
$$;
