-- The unit has released the rows that an operator wanted moved, and stays, cordoned. Raises as require_epoch does.

create or replace function end_drain(p_address text, p_epoch integer, p_event_id uuid) returns void
language plpgsql security definer set search_path from current as $$
begin
    perform require_login_of(p_address);
    perform lock_membership(p_address);
    perform from lease where address = p_address for update;
    perform require_epoch(p_address, p_epoch);
    perform append_membership(p_address, 'present', 'UnitDrained', '{}', p_event_id);
end
$$;
