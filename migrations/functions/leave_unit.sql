-- Ways out of the fleet. Whoever leaves or is lost has no epoch, so that nothing more can be written under it.

-- The unit leaves by itself, drained. Raises NU001 (stale epoch).
create or replace function leave_unit(p_address text, p_epoch integer, p_event_id uuid) returns void
language plpgsql security definer set search_path from current as $$
begin
    update lease set epoch = null where address = p_address and epoch = p_epoch;
    if not found then
        raise exception 'epoch % of unit % is not in force', p_epoch, p_address using errcode = 'NU001';
    end if;
    perform append_membership(p_address, 'absent', 'UnitLeft', '{}', p_event_id);
end
$$;
