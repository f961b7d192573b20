-- Whether a lease has expired, by the database's clock. An outage of the database is not held against any unit: every
-- lease restarts at the first heartbeat or join after it, and until then none counts as expired.

create or replace function lease_has_expired(p_lease lease) returns boolean
language sql
as $$ select p_lease.epoch is not null and clock_timestamp() > greatest(
    p_lease.expires_at,
    (select f.leases_count_from from fleet f) + (p_lease.expires_at - p_lease.renewed_at)
) and coalesce((select f.timeline = current_timeline() from fleet f), true) $$;
