-- fragment: event_metadata
-- Every column of an event except its data. No other statement lists them.
e.position, e.recorded_at, e.transaction_id::text::bigint as transaction_id, e.event_id, e.stream_id, e.stream_version,
e.type, e.deployment_id, e.unit_address, e.schema_version

-- fragment: event_columns
-- One row of this is one RecordedEvent.
{event_metadata}, e.data::text as data

-- name: high_water_mark
-- Every transaction below it has ended: what it wrote is visible, and it will write nothing more.
select pg_snapshot_xmin(pg_current_snapshot())::text::bigint + log_transaction_offset() as high_water_mark

-- name: one_snapshot
set transaction isolation level repeatable read, read only

-- name: transaction_snapshot
select pg_snapshot_xmin(s.now)::text::bigint + o.added as xmin, pg_snapshot_xmax(s.now)::text::bigint + o.added as xmax,
       array(select x::text::bigint + o.added from pg_snapshot_xip(s.now) x) as in_progress
from pg_current_snapshot() as s (now), log_transaction_offset() as o (added)

-- name: events_between
-- In commit order, after a checkpoint and below a high-water mark. A parameter that is null filters nothing; the
-- planner sees the values and drops unused conditions.
select {event_columns}
from event e
where (e.transaction_id, e.position) > (%(after_transaction_id)s::text::xid8, %(after_position)s)
  and e.transaction_id < %(below)s::text::xid8
  and (%(since)s::timestamptz is null or e.recorded_at >= %(since)s)
  and (%(until)s::timestamptz is null or e.recorded_at < %(until)s)
  and (%(at)s::timestamptz is null or e.recorded_at <= %(at)s)
  and (%(position)s::bigint is null or e.position <= %(position)s)
  and (%(types)s::text[] is null or e.type = any (%(types)s))
  and (%(without)s::text[] is null or e.type <> all (%(without)s))
  and (%(deployment_id)s::uuid is null or e.deployment_id = %(deployment_id)s)
  and (%(unit_address)s::text is null or e.unit_address = %(unit_address)s)
order by e.transaction_id, e.position
limit %(limit)s

-- name: newest_events
-- The newest that are committed, the last one first. It does not wait for transactions that are still open.
select {event_columns}
from event e
where (%(since)s::timestamptz is null or e.recorded_at >= %(since)s)
  and (%(until)s::timestamptz is null or e.recorded_at < %(until)s)
  and (%(types)s::text[] is null or e.type = any (%(types)s))
  and (%(without)s::text[] is null or e.type <> all (%(without)s))
  and (%(deployment_id)s::uuid is null or e.deployment_id = %(deployment_id)s)
  and (%(unit_address)s::text is null or e.unit_address = %(unit_address)s)
order by e.recorded_at desc, e.position desc
limit %(limit)s
