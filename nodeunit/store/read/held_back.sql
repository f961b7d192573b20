-- name: held_back
-- The oldest open transaction of any database of the server, when events are committed that its end alone will show.
-- Every login may read pg_locks; of other logins' sessions it may not see when they began.
select l.pid, a.datname as database, a.usename as user, a.application_name as application,
       extract(epoch from clock_timestamp() - a.xact_start)::double precision as open_s
from pg_snapshot_xmin(pg_current_snapshot()) as oldest (xmin)
join pg_locks l on l.locktype = 'transactionid' and l.granted and l.transactionid = oldest.xmin::xid
left join pg_stat_activity a on a.pid = l.pid
where exists (select from event e where e.transaction_id >= %(below)s::text::xid8)
limit 1
