-- What nodeunit doctor asks. The first statements work in a database without the schema.

-- name: doctor_server
select pg_is_in_recovery() as standby,
       (select x.extversion from pg_extension x where x.extname = 'timescaledb') as timescaledb,
       exists (select from pg_available_extensions a where a.name = 'timescaledb') as timescaledb_available,
       current_setting('synchronous_commit') as synchronous_commit

-- name: doctor_clock
select clock_timestamp() as at

-- name: doctor_login
select session_user::text as login,
       to_regclass('deployment') is not null as schema_there,
       coalesce((
           select pg_has_role(session_user, c.relowner, 'member') from pg_class c where c.oid = to_regclass('deployment')
       ), false) as owner,
       array(
           select r.rolname::text from pg_roles r
           where r.rolname in ('nodeunit_unit', 'nodeunit_operator', 'nodeunit_reader')
             and pg_has_role(session_user, r.oid, 'member')
           order by 1
       ) as roles

-- name: doctor_capacity
-- PostgreSQL keeps connections for superusers and, since 16, for a role that may be named.
select (select count(*) from unit u where u.membership = 'present') as units,
       s.most - s.reserved as connections, s.reserved,
       s.locks * (s.most + s.prepared) as locks, s.locks as locks_per_transaction,
       coalesce((
           select sum(1 + (select count(*) from pg_index x where x.indrelid = i.inhrelid))
           from pg_inherits i where i.inhparent in (to_regclass('event'), to_regclass('usage'))
       ), 0)::bigint as relations
from (
    select current_setting('max_connections')::integer as most,
           current_setting('superuser_reserved_connections')::integer
               + coalesce(current_setting('reserved_connections', true)::integer, 0) as reserved,
           current_setting('max_prepared_transactions')::integer as prepared,
           current_setting('max_locks_per_transaction')::integer as locks
) s

-- name: doctor_log_age
select extract(epoch from clock_timestamp() - min(e.recorded_at))::double precision as age_s from event e

-- name: doctor_idle_transactions
-- Of any database of the server, because transactions are numbered for all of them.
select a.pid, a.datname::text as database, a.usename::text as user, a.application_name as application,
       extract(epoch from clock_timestamp() - a.xact_start)::double precision as open_s
from pg_stat_activity a
where a.state in ('idle in transaction', 'idle in transaction (aborted)')
  and a.xact_start <= clock_timestamp() - make_interval(secs => %(open_for_s)s)
  and (a.backend_xid is not null or a.backend_xmin is not null
       or exists (select from pg_locks l where l.pid = a.pid and l.locktype = 'relation'))
  and a.pid <> pg_backend_pid()
order by a.xact_start
limit 20

-- name: doctor_deaf_units
select coalesce(u.name, e.unit_address) as name, count(*) as times
from event e
left join unit u on u.address = e.unit_address
where e.type = 'UnitListenerDeaf' and e.recorded_at > clock_timestamp() - make_interval(secs => %(within_s)s)
group by 1
order by 1

-- name: doctor_units_back
-- A loss that the next join of the same supervisor followed. A restarted unit has another supervisor.
select u.name, count(*) as times,
       max(extract(epoch from back.recorded_at - lost.recorded_at))::double precision as away_s,
       max(extract(epoch from coalesce(l.ttl, l.expires_at - l.renewed_at)))::double precision as ttl_s
from unit u
join lease l on l.address = u.address
join event lost on lost.stream_id = 'unit-' || u.address and lost.type = 'UnitLost'
    and lost.recorded_at > clock_timestamp() - make_interval(secs => %(within_s)s)
join event back on back.stream_id = lost.stream_id and back.stream_version = lost.stream_version + 1
    and back.type = 'UnitJoined' and back.recorded_at >= lost.recorded_at
where (
    select before.data ->> 'supervisor' from event before
    where before.stream_id = lost.stream_id and before.type = 'UnitJoined' and before.stream_version < lost.stream_version
    order by before.stream_version desc limit 1
) = back.data ->> 'supervisor'
group by u.name
order by u.name

-- name: doctor_wanted_packages
select distinct runtime_of(d.*) as runtime, d.package_name || '@' || d.package_version as package
from deployment d
where d.enabled and runtime_of(d.*) in ('npm', 'python')
limit 10000
