-- What people do to rows. Each takes the columns as one JSON object, so that a column needs no statement of its own.

-- name: insert_deployments
insert into deployment (name, package_name, package_version, command, args, env, type, enabled, on_disconnect, runtime, cwd,
    stop_grace_s, stop_signal, memory_limit_mb, cpu_weight, process_limit, restart, restart_limit, startup_check,
    startup_timeout_s, liveness_check, wants_port, secrets)
select r.name, r.package_name, r.package_version, r.command, r.args, r.env, r.type, r.enabled, r.on_disconnect, r.runtime,
       r.cwd, r.stop_grace_s, r.stop_signal, r.memory_limit_mb, r.cpu_weight, r.process_limit, r.restart, r.restart_limit,
       r.startup_check, r.startup_timeout_s, r.liveness_check, r.wants_port, r.secrets
from jsonb_populate_recordset(null::deployment, %(rows)s) r
returning id, name, package_name, package_version

-- name: update_deployments
-- Several rows, each with its own columns: [{"id": …, "columns": {…}}, …]. What is not named stays.
update deployment d set
    (name, package_name, package_version, command, args, env, type, enabled, on_disconnect, runtime, cwd, stop_grace_s,
     stop_signal, memory_limit_mb, cpu_weight, process_limit, restart, restart_limit, startup_check, startup_timeout_s,
     liveness_check, wants_port, secrets) = (
        select r.name, r.package_name, r.package_version, r.command, r.args, r.env, r.type, r.enabled, r.on_disconnect,
               r.runtime, r.cwd, r.stop_grace_s, r.stop_signal, r.memory_limit_mb, r.cpu_weight, r.process_limit,
               r.restart, r.restart_limit, r.startup_check, r.startup_timeout_s, r.liveness_check, r.wants_port, r.secrets
        from jsonb_populate_record(null::deployment, to_jsonb(d.*) || c.columns) r
    )
from jsonb_to_recordset(%(changes)s) as c (id uuid, columns jsonb)
where d.id = c.id
returning d.id, d.name, d.package_name, d.package_version

-- name: restart_deployments
-- Setting updated_at alone asks for a restart.
update deployment d set updated_at = now() where d.id = any (%(ids)s)
returning d.id, d.name, d.package_name, d.package_version

-- name: delete_deployments
delete from deployment d where d.id = any (%(ids)s)
returning d.id, d.name, d.package_name, d.package_version

-- name: undo_deployment
select undo_deployment(%(id)s, %(revision)s) as revision
