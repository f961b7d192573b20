-- Like begin_draining, with the reason: the supervisor of the unit is dead, and its programs with it.

create or replace function record_supervisor_death(p_address text, p_epoch integer, p_event_id uuid) returns void
language plpgsql security definer set search_path from current as $$
begin
    perform require_login_of(p_address);
    perform lock_membership(p_address);
    perform from lease where address = p_address for update;
    perform require_epoch(p_address, p_epoch);
    perform append_membership(p_address, 'present', 'UnitSupervisorDied', '{}', p_event_id);
end
$$;
