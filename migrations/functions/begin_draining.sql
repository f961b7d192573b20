-- The unit says that it claims nothing more and gives back what it holds. Raises NU001 (stale epoch).
create or replace function begin_draining(p_address text, p_epoch integer, p_event_id uuid) returns void
language plpgsql security definer set search_path from current as $$
begin
    perform from lease where address = p_address and epoch = p_epoch for update;
    if not found then
        raise exception 'epoch % of unit % is not in force', p_epoch, p_address using errcode = 'NU001';
    end if;
    perform append_membership(p_address, 'present', 'UnitDraining', '{}', p_event_id);
end
$$;
