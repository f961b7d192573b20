-- name: timeline
-- The cluster that a server belongs to and, of a primary, its timeline.
select c.system_identifier, case
    when not pg_is_in_recovery() then ('x' || left(pg_walfile_name(pg_current_wal_lsn()), 8))::bit(32)::integer
end as timeline
from pg_control_system() c
