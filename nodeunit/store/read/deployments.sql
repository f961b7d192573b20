-- Rows as people list them, by key and without a count of all.

-- name: deployment_page
-- The rows after an id, in the order of ids. A parameter that is null filters nothing.
select d.id, coalesce(d.name, '') as name, d.package_name, d.package_version, d.type, d.enabled,
       case when d.runtime <> '' then d.runtime when d.command <> '' then 'command' else 'npm' end as runtime, d.revision, d.address_version as claim_version, d.created_at, d.updated_at,
       extract(epoch from clock_timestamp() - d.created_at)::double precision as age_s,
       d.address as unit_address, coalesce(u.name, '') as unit
from deployment_shown d
left join unit u on u.address = d.address
where (%(after)s::uuid is null or d.id > %(after)s)
  and (%(ids)s::uuid[] is null or d.id = any (%(ids)s))
  and (%(name)s::text is null or d.name = %(name)s::text collate "C")
  and (%(package_name)s::text is null or d.package_name = %(package_name)s)
  and (%(package_version)s::text is null or d.package_version = %(package_version)s)
  and (%(address)s::text is null or d.address = %(address)s or d.type = 'daemon')
  -- Not the whole row, because readers may not see its env.
  and (%(columns)s::jsonb is null or jsonb_build_object(
      'name', d.name, 'package_name', d.package_name, 'package_version', d.package_version,
      'command', d.command, 'args', d.args, 'type', d.type,
      'address', d.address, 'enabled', d.enabled, 'on_disconnect', d.on_disconnect,
      'runtime', d.runtime, 'cwd', d.cwd, 'stop_grace_s', d.stop_grace_s,
      'stop_signal', d.stop_signal, 'memory_limit_mb', d.memory_limit_mb, 'cpu_weight', d.cpu_weight,
      'process_limit', d.process_limit, 'restart', d.restart, 'restart_limit', d.restart_limit,
      'startup_check', d.startup_check, 'startup_timeout_s', d.startup_timeout_s, 'liveness_check', d.liveness_check,
      'wants_port', d.wants_port, 'secrets', d.secrets
  ) @> %(columns)s)
order by d.id
limit %(limit)s

-- name: programs_of_rows
-- The programs of some rows; one without a unit says why a row waits.
select p.deployment_id, coalesce(p.unit, '') as unit, coalesce(p.unit_address, '') as unit_address, p.state, p.reason,
       p.detail, p.since, p.pid, p.port, p.ready_since, p.resolved_version, p.restarts, p.failures, p.next_try_at,
       p.ended_at, p.exit_code, p.exit_signal, p.claim_version
from unnest(%(ids)s::uuid[]) as m (id)
cross join lateral (select * from program_state s where s.deployment_id = m.id) p
order by p.deployment_id, p.unit, p.unit_address

-- name: deployments_called
-- The rows that somebody may mean: by name or whole id (1), by package (2), by the beginning of name or id (3).
(
    select 1 as rank, d.id, d.name, d.package_name, d.package_version from deployment d
    where d.name = %(given)s::text collate "C"
)
union
(
    select case when %(lowest)s::uuid = %(highest)s then 1 else 3 end, d.id, d.name, d.package_name, d.package_version
    from deployment d
    where d.id between %(lowest)s and %(highest)s
      and (%(of_package)s::text is null or d.package_name = %(of_package)s or d.package_name like '%%/' || %(of_package)s)
    order by d.id limit 11
)
union
(
    select 2, d.id, d.name, d.package_name, d.package_version from deployment d
    where d.package_name = %(package_name)s and (%(package_version)s::text is null or d.package_version = %(package_version)s)
    order by d.id limit 11
)
union
(
    select 3, d.id, d.name, d.package_name, d.package_version from deployment d
    where d.name >= %(given)s::text collate "C" and d.name < (%(given)s::text || '~') collate "C"
    order by d.name limit 11
)
order by 1, 3, 2

-- name: change_mark
-- Differs when something was appended or a notification was sent since it was read before.
select coalesce((select max(w.number) from wake_up w), 0) as woken,
       (select e.position from event e order by e.recorded_at desc limit 1) as position

-- name: row_columns
-- What a person may have set, with the values of env: for those who may change the row.
select to_jsonb(d.*) as columns from deployment d where d.id = any (%(ids)s) order by d.id

-- name: shown_columns
-- The same without env, for whoever may read.
select to_jsonb(d.*) as columns from deployment_shown d where d.id = any (%(ids)s) order by d.id

-- name: lock_rows
-- In one order, so that two sessions do not wait for each other.
select d.id from deployment d where d.id = any (%(ids)s) order by d.id for update

-- name: named_rows
select d.id, d.name, to_jsonb(d.*) as columns from deployment d where d.name = any (%(names)s::text[]) order by d.name

-- name: other_named_rows
-- Rows with a name that is not among these.
select d.id, d.name from deployment d
where d.name is not null and d.name <> all (%(names)s::text[]) and (%(after)s::text is null or d.name > %(after)s collate "C")
order by d.name
limit %(limit)s
