-- name: installed_version
select i.version, i.integrity, i.lock, i.packages
from installed_version(%(deployment_id)s, %(runtime)s, %(name)s, %(wanted)s) i

-- name: package_lock_of
select l.version, l.integrity, l.lock, l.packages from package_lock_of(%(runtime)s, %(name)s, %(version)s) l

-- name: record_install
select r.version, r.integrity, r.lock, r.packages
from record_install(
    %(address)s, %(epoch)s, %(deployment_id)s, %(runtime)s, %(name)s, %(wanted)s,
    %(version)s, %(integrity)s, %(lock)s, %(packages)s
) r
