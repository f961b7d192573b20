-- Every lease counts anew from the first heartbeat, join or question about a lease that a newly promoted server hears,
-- because leases were granted by the clock of another server, and were confirmed there until it was replaced. A database
-- that has not known its timeline learns it.

create or replace function count_leases_anew_after_failover() returns void
language plpgsql security definer set search_path from current as $$
begin
    update fleet
    set leases_count_from = case when timeline is null then leases_count_from else clock_timestamp() end,
        timeline = current_timeline()
    where timeline is distinct from current_timeline();
end
$$;
