-- name: events_after
-- In the order of commits that can no longer change: what is still being written is not read past. The writers'
-- transactions below the snapshot's xmin have all ended.
select e.position, e.recorded_at, e.transaction_id::text::bigint as transaction_id, e.event_id, e.stream_id,
       e.stream_version, e.type, e.deployment_id, e.unit_address, e.schema_version, e.data::text as data
from event e
where (e.transaction_id, e.position) > (%(transaction_id)s::text::xid8, %(position)s)
  and e.transaction_id < pg_snapshot_xmin(pg_current_snapshot())
order by e.transaction_id, e.position
limit %(limit)s

-- name: scanned_events
-- Plain columns: to build JSON of them would cost the server half as much again.
copy (
    select e.type, e.schema_version, e.position, e.recorded_at, e.transaction_id, e.stream_id, e.stream_version,
           e.deployment_id, e.unit_address, e.data
    from event e
    where e.transaction_id < pg_snapshot_xmin(pg_current_snapshot())
      and e.recorded_at <= %(until)s
      and (%(position)s::bigint is null or e.position <= %(position)s)
    order by e.transaction_id, e.position
) to stdout
