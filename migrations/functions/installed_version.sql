-- What a row's version was resolved to, with the lock that every installation of it is held to; no row if nothing was
-- recorded for this runtime, package and version.

create or replace function installed_version(p_deployment_id uuid, p_runtime text, p_package_name text, p_wanted text)
returns table (version text, integrity text, lock text, packages integer)
language sql stable security definer set search_path from current as $$
    select l.version, l.integrity, l.lock, l.packages
    from program_version v
    join package_lock l using (runtime, package_name, version)
    where v.deployment_id = p_deployment_id
      and (v.runtime, v.package_name, v.wanted) = (p_runtime, p_package_name, p_wanted);
$$;
