-- name: claim_deployments
select c.id, c.package_name, c.package_version, c.command, c.args, c.env, c.type, c.address, c.address_version,
       c.enabled, c.on_disconnect, c.revision, runtime_of(c.*) as runtime, program_options(c.*) as options
from claim_deployments(%(address)s, %(epoch)s, %(stream_version)s, %(claims)s::jsonb) as c

-- name: append_decisions
select append_decisions(%(address)s, %(epoch)s, %(stream_version)s, %(events)s::jsonb)

-- name: stream_version_now
select stream_version_now(%(address)s, %(epoch)s) as stream_version

-- name: event_by_id
select e.type, e.stream_id, e.stream_version, e.deployment_id
from event e
where e.event_id = %(event_id)s

-- name: recorded_events
select coalesce(array_agg(e.event_id), '{}') as event_ids
from event e
where e.event_id = any (%(event_ids)s)
