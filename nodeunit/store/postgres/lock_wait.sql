-- name: lock_holders
-- The sessions that keep another one from its lock, by holding it or by waiting for it longer.
select a.pid, a.usename as user, a.application_name as application, a.xact_start as since,
       left(regexp_replace(a.query, '\s+', ' ', 'g'), 60) as query
from unnest(pg_blocking_pids(%(pid)s)) as blocking (pid)
join pg_stat_activity a on a.pid = blocking.pid

-- name: sessions
select a.pid, a.usename as user, a.application_name as application, a.xact_start as since,
       left(regexp_replace(a.query, '\s+', ' ', 'g'), 60) as query
from pg_stat_activity a
where a.pid = any (%(pids)s)

-- name: running_transactions
-- The transactions of clients in this database. Unlike the details in pg_stat_activity, every login may see them.
select l.pid, l.virtualtransaction as transaction
from pg_locks l
join pg_stat_activity a on a.pid = l.pid
where l.locktype = 'virtualxid' and l.granted and l.virtualxid = l.virtualtransaction
  and a.datname = current_database() and a.pid <> pg_backend_pid()
