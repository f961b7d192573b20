-- Has this lease run out? By the database's clock, and never for a silence that all units shared: after an outage, a
-- restart or a failover each lease counts anew from the first heartbeat that anybody could send.

create or replace function lease_is_over(p_lease lease) returns boolean
language sql
return p_lease.epoch is not null and clock_timestamp() > greatest(
    p_lease.expires_at,
    (select f.leases_count_from from fleet f) + (p_lease.expires_at - p_lease.renewed_at)
);
