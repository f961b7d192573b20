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

-- name: typed_events
-- Each event as an array, the type first. As CSV with two control characters for quote and delimiter, neither of which
-- JSON has in it, each line is the plain JSON.
copy (
    select json_build_array(
        e.type, e.position, e.recorded_at, e.transaction_id::text::bigint, e.stream_id, e.stream_version,
        e.deployment_id, e.unit_address, e.schema_version, e.data
    )
    from event e
    where e.transaction_id < pg_snapshot_xmin(pg_current_snapshot())
      and e.recorded_at <= %(until)s
      and (%(position)s::bigint is null or e.position <= %(position)s)
    order by e.transaction_id, e.position
) to stdout (format csv, quote E'\x01', delimiter E'\x02')
