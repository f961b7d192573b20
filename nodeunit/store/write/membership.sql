-- name: join_unit
select join_unit(
    %(address)s, %(supervisor)s, make_interval(secs => %(lease_ttl_s)s), make_interval(secs => %(inactive_after_s)s),
    %(data)s::jsonb, %(event_id)s
)

-- name: count_leases_anew_after_failover
select count_leases_anew_after_failover()

-- name: lease_of
select l.renewed_at, l.expires_at, greatest(extract(epoch from l.expires_at - clock_timestamp()), 0)::float8 as left_s
from lease l
where l.address = %(address)s and l.epoch is not null

-- name: heartbeat
select h.fenced, h.expired, h.waiting, h.drain_s, h.wake_up, h.expires_s
from heartbeat(
    %(address)s, %(epoch)s, make_interval(secs => %(lease_ttl_s)s), make_interval(secs => %(inactive_after_s)s),
    %(cpu_percent)s, %(memory_mb)s, %(samples)s::jsonb
) as h

-- name: declare_lost
select declare_units_lost(%(address)s, %(epoch)s, %(lost)s)

-- name: begin_draining
select begin_draining(%(address)s, %(epoch)s, %(event_id)s)

-- name: record_supervisor_death
select record_supervisor_death(%(address)s, %(epoch)s, %(event_id)s)

-- name: end_drain
select end_drain(%(address)s, %(epoch)s, %(event_id)s)

-- name: leave_unit
select leave_unit(%(address)s, %(epoch)s, %(event_id)s)

-- name: wake
select wake(%(what)s, %(who)s)

-- name: probe_units
select probe_units(%(addresses)s)

-- name: suspect_units
select suspect_units(%(address)s, %(epoch)s, %(addresses)s, %(probed_at)s)

-- name: release_deployment
select release_deployment(%(address)s, %(epoch)s, %(deployment_id)s, %(version)s, %(reason)s, %(event_id)s)

-- name: first_unlocked_deployment
select first_unlocked_deployment(%(ids)s::uuid[])
