-- Finding events. A parameter that is null asks for nothing; the planner sees the values and drops what is not asked.

-- name: search_horizon
-- Every transaction below it has ended: what it wrote can be seen, and nothing more will come from it.
select pg_snapshot_xmin(pg_current_snapshot())::text::bigint as horizon

-- name: one_snapshot
set transaction isolation level repeatable read, read only

-- name: search_snapshot
select pg_current_snapshot()::text as snapshot

-- name: search_history
-- In commit order, up to the horizon, and all of it in one snapshot.
select e.position, e.recorded_at, e.transaction_id::text::bigint as transaction_id, e.event_id, e.stream_id,
       e.stream_version, e.type, e.deployment_id, e.unit_address, e.schema_version, e.data::text as data
from event e
where e.transaction_id < %(horizon)s::text::xid8
  and (%(since)s::timestamptz is null or e.recorded_at >= %(since)s)
  and (%(until)s::timestamptz is null or e.recorded_at <= %(until)s)
  and (%(position)s::bigint is null or e.position <= %(position)s)
  and (%(types)s::text[] is null or e.type = any (%(types)s))
  and (%(without)s::text[] is null or e.type <> all (%(without)s))
  and (%(deployment_id)s::uuid is null or e.deployment_id = %(deployment_id)s)
  and (%(unit_address)s::text is null or e.unit_address = %(unit_address)s)
order by e.transaction_id, e.position

-- name: search_next
-- What was committed after a checkpoint, up to a later horizon.
select e.position, e.recorded_at, e.transaction_id::text::bigint as transaction_id, e.event_id, e.stream_id,
       e.stream_version, e.type, e.deployment_id, e.unit_address, e.schema_version, e.data::text as data
from event e
where (e.transaction_id, e.position) > (%(after_transaction_id)s::text::xid8, %(after_position)s)
  and e.transaction_id < %(horizon)s::text::xid8
  and (%(since)s::timestamptz is null or e.recorded_at >= %(since)s)
  and (%(types)s::text[] is null or e.type = any (%(types)s))
  and (%(without)s::text[] is null or e.type <> all (%(without)s))
  and (%(deployment_id)s::uuid is null or e.deployment_id = %(deployment_id)s)
  and (%(unit_address)s::text is null or e.unit_address = %(unit_address)s)
order by e.transaction_id, e.position
limit %(limit)s

-- name: deployments_like
-- Every deployment there ever was has a version 0; an id is known by its beginning.
select o.deployment_id
from assignment_order o
where o.deployment_id between %(lowest)s and %(highest)s and o.version = 0
order by o.deployment_id
limit 11

-- name: unit_names
select u.address, u.name from unit u
