-- The lock of an exact version; no row if no unit has installed it yet.

create or replace function package_lock_of(p_runtime text, p_package_name text, p_version text)
returns table (version text, integrity text, lock text, packages integer)
language sql stable security definer set search_path from current as $$
    select l.version, l.integrity, l.lock, l.packages
    from package_lock l
    where (l.runtime, l.package_name, l.version) = (p_runtime, p_package_name, p_version);
$$;
