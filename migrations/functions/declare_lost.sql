-- Another unit finds that the lease has run out. Returns false when it has not (any more), or when somebody else was
-- first: a unit is lost once. Raises NU001 when the one who says so is not in force itself.
create or replace function declare_lost(p_by text, p_epoch integer, p_address text, p_event_id uuid) returns boolean
language plpgsql security definer set search_path from current as $$
declare
    v_lost lease;
begin
    -- Both rows in one order, so that two units that declare each other lost wait and do not deadlock.
    perform from lease where address in (p_by, p_address) order by address for update;
    perform from lease where address = p_by and epoch = p_epoch;
    if not found then
        raise exception 'epoch % of unit % is not in force', p_epoch, p_by using errcode = 'NU001';
    end if;
    select * into v_lost from lease where address = p_address;
    if not found or not lease_is_over(v_lost) then
        return false;
    end if;
    -- The whole server may have stood still just now, between the heartbeat that saw the lease run out and here: then
    -- nobody has been heard for long, and that silence is shared though no heartbeat has said so yet.
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
