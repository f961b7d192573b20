-- Marks the units inactive that have sent no heartbeat since they were probed: they take no part in rounds until their next
-- heartbeat, and keep their leases and their rows. Returns whether any was marked. Raises as require_epoch does.

create or replace function suspect_units(p_by text, p_epoch integer, p_addresses text[], p_probed_at timestamptz)
returns boolean
language plpgsql security definer set search_path from current as $$
begin
    perform require_epoch(p_by, p_epoch);
    -- In one order, because two units may suspect the same ones.
    perform from lease where address = any (p_addresses) order by address for update;
    update lease set inactive_at = clock_timestamp()
    where address = any (p_addresses) and epoch is not null and renewed_at < p_probed_at
      and inactive_at > clock_timestamp();
    return found;
end
$$;
