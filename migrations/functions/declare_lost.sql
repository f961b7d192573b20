-- Declares a unit lost whose lease has expired: its epoch ends, so that nothing more can be written under its address.
-- Returns false when the lease has not expired, or when another unit was first: a unit is lost once.
-- Raises as require_epoch does, of the unit that declares.

create or replace function declare_lost(p_by text, p_epoch integer, p_address text, p_event_id uuid) returns boolean
language plpgsql security definer set search_path from current as $$
declare
    v_lost lease;
begin
    -- Both rows in one order, so that two units that declare each other lost wait and do not deadlock.
    perform from lease where address in (p_by, p_address) order by address for update;
    perform require_epoch(p_by, p_epoch);
    select * into v_lost from lease where address = p_address;
    if not found or not lease_has_expired(v_lost) then
        return false;
    end if;
    -- The server may have been frozen between the heartbeat that saw the lease expire and this call. Then no unit has sent
    -- a heartbeat for a while: the outage is shared by all, although no heartbeat has recorded it yet.
    if clock_timestamp() - (select max(l.renewed_at) from lease l) > (v_lost.expires_at - v_lost.renewed_at) / 2 then
        return false;
    end if;
    update lease set epoch = null where address = p_address;
    perform append_membership(
        p_address, 'absent', 'UnitLost',
        jsonb_build_object('by', p_by, 'lease_expired_at', v_lost.expires_at), p_event_id
    );
    return true;
end
$$;
