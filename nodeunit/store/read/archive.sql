-- name: archive_lock_holders
-- Advisory locks can be taken by everybody who may connect.
select a.pid, a.usename as user, a.application_name as application, a.xact_start as since,
       left(regexp_replace(a.query, '\s+', ' ', 'g'), 60) as query
from pg_locks l
join pg_stat_activity a on a.pid = l.pid
where l.locktype = 'advisory' and l.granted and l.objsubid = 1
  and l.database = (select b.oid from pg_database b where b.datname = current_database())
  and (l.classid::bigint << 32 | l.objid::bigint) = hashtextextended('nodeunit archive ' || current_schema(), 0)

-- name: take_archive_lock
-- One archive at a time; the lock ends with the session.
select pg_try_advisory_lock(hashtextextended('nodeunit archive ' || current_schema(), 0)) as taken,
       clock_timestamp() as now, is_hypertable('event') as hypertable, current_database() as database

-- name: archivable_before
select archivable_before(%(before)s) as before

-- name: events_before
select e.events, e.first_position, e.last_position, e.first_recorded_at, e.last_recorded_at, e.digest
from events_before(%(before)s) as e

-- name: copy_events_before
-- JSON contains no control characters, so CSV with two of them as quote and delimiter makes each line plain JSON.
copy (
    select row_to_json(r)
    from (
        select {event_metadata}, e.data
        from event e
        where e.recorded_at < %(before)s
        order by e.transaction_id, e.position
    ) r
) to stdout (format csv, quote E'\x01', delimiter E'\x02')

-- name: last_archive
select e.data::text as data, e.schema_version
from event e
where e.stream_id = 'log' and e.type = 'LogArchived'
order by e.stream_version desc
limit 1

-- name: append_snapshots
select append_snapshots(%(before)s, %(file)s, %(sha256)s, %(events)s, %(digest)s) as snapshots

-- name: drop_archived_events
select drop_archived_events(%(sha256)s) as dropped

-- name: usage_archivable_before
select c.cut, (select count(*) from usage u where u.recorded_at < c.cut) as samples
from usage_archivable_before(%(before)s) as c (cut)

-- name: roll_up_usage
select r.cut, coalesce(r.samples, 0) as samples, coalesce(r.hours, 0) as hours from roll_up_usage(%(before)s) as r
