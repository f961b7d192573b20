-- Units that should have claimed a row and have not: they are asked for a heartbeat, and without one they take no part in
-- rounds until they send one. Their lease and their rows stay with them.

-- Leaves out who has not answered. Returns whether anybody has not. Raises NU001 (stale epoch).
create or replace function doubt_units(p_by text, p_epoch integer, p_addresses text[], p_asked_at timestamptz)
returns boolean
language plpgsql security definer set search_path from current as $$
begin
    perform from lease where address = p_by and epoch = p_epoch;
    if not found then
        raise exception 'epoch % of unit % is not in force', p_epoch, p_by using errcode = 'NU001';
    end if;
    -- In one order, for two units may doubt the same ones.
    perform from lease where address = any (p_addresses) order by address for update;
    update lease set quiet_at = clock_timestamp()
    where address = any (p_addresses) and epoch is not null and renewed_at < p_asked_at
      and quiet_at > clock_timestamp();
    return found;
end
$$;
