-- Restarts every lease at the first heartbeat, join or query about a lease that a new primary receives, because another
-- server's clock granted the leases, and confirmed them until it was replaced. If no timeline is stored yet, stores it
-- without restarting the leases.

create or replace function count_leases_anew_after_failover() returns void
language plpgsql security definer set search_path from current as $$
begin
    update fleet
    set leases_count_from = case when timeline is null then leases_count_from else clock_timestamp() end,
        timeline = current_timeline()
    where timeline is distinct from current_timeline();
end
$$;
