-- The timeline of a primary, which each promotion increases; null on a standby.

create or replace function current_timeline() returns integer
language sql
return case
    when not pg_is_in_recovery() then ('x' || left(pg_walfile_name(pg_current_wal_lsn()), 8))::bit(32)::integer
end;
