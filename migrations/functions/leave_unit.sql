-- The unit leaves after a drain. Without an epoch nothing more can be written under its address. Raises as
-- require_epoch does.

create or replace function leave_unit(p_address text, p_epoch integer, p_event_id uuid) returns void
language plpgsql security definer set search_path from current as $$
begin
    perform require_login_of(p_address);
    perform lock_membership(p_address);
    perform from lease where address = p_address for update;
    perform require_epoch(p_address, p_epoch);
    update lease set epoch = null where address = p_address;
    perform append_membership(p_address, 'absent', 'UnitLeft', '{}', p_event_id);
end
$$;
