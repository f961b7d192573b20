-- Marks units as inactive that have sent no heartbeat since they were probed: they take no part in rounds until their
-- next heartbeat, and keep their leases and their rows. Returns whether any was marked. Raises as require_epoch does.

create or replace function suspect_units(p_by text, p_epoch integer, p_addresses text[], p_probed_at timestamptz)
returns boolean
language plpgsql security definer set search_path from current as $$
begin
    perform require_login_of(p_by);
    perform require_epoch(p_by, p_epoch);
    -- A unit whose lease is locked is working, or another unit is marking it now.
    update lease l set inactive_at = clock_timestamp()
    from (
        select address from lease
        where address = any (p_addresses) and epoch is not null and renewed_at < least(p_probed_at, clock_timestamp())
          and inactive_at > clock_timestamp()
        for update skip locked
    ) silent
    where l.address = silent.address;
    return found;
end
$$;
