-- name: login_exists
select exists (select from pg_roles r where r.rolname = %(login)s) as there

-- name: enroll_unit
select enroll_unit(%(login)s, %(verifier)s, %(address)s) as made

-- name: revoke_unit
select revoke_unit(%(login)s) as address

-- name: end_sessions_of
select count(pg_terminate_backend(a.pid)) as ended from pg_stat_activity a where a.usename = %(login)s

-- name: require_enrolled_logins
select require_enrolled_logins(true)
