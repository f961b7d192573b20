-- From now on the unit claims nothing, and releases what it holds. Raises as require_epoch does.

create or replace function begin_draining(p_address text, p_epoch integer, p_event_id uuid) returns void
language plpgsql security definer set search_path from current as $$
begin
    perform require_login_of(p_address);
    perform lock_membership(p_address);
    perform from lease where address = p_address for update;
    perform require_epoch(p_address, p_epoch);
    perform append_membership(p_address, 'present', 'UnitDraining', '{}', p_event_id);
end
$$;
