-- The fleet at one time; 'infinity' is now.

-- name: deployments_at
select d.deployment_id, d.package_name, d.package_version, d.type, d.enabled, d.address, d.address_version, d.address_since
from deployments_at(coalesce(%(at)s::timestamptz, 'infinity'), %(position)s::bigint) d
where %(deployment_id)s::uuid is null or d.deployment_id = %(deployment_id)s
order by d.deployment_id

-- name: units_at
select u.address, u.name, u.host, u.membership, u.epoch, u.version, u.since, u.policy, u.cpu_weight, u.memory_weight,
       u.trusted, u.custom_command, coalesce(u.runtimes, '{}') as runtimes, coalesce(u.secrets, '{}') as secrets, u.software, u.cordoned
from units_at(coalesce(%(at)s::timestamptz, 'infinity'), %(position)s::bigint) u
order by u.address

-- name: log_begins
select min(e.recorded_at) as at from event e

-- name: log_archived
-- The newest archive; archive files have what was recorded before it.
select (e.data ->> 'before')::timestamptz as before, (e.data ->> 'last_position')::bigint as last_position,
       e.data ->> 'file' as file
from event e
where e.stream_id = 'log' and e.type = 'LogArchived'
order by e.stream_version desc
limit 1

-- name: moment_of_position
select moment_of_position(%(position)s) as at
