-- name: server
select current_setting('server_version_num')::int as version_num,
       current_setting('server_version') as version,
       pg_backend_pid() as backend_pid,
       exists (select from pg_extension where extname = 'timescaledb') as timescaledb

-- name: backend_pid
select pg_backend_pid() as backend_pid

-- name: login_binding
select login_binding() as binding
