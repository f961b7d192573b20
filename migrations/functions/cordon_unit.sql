-- An operator wants the unit to claim nothing more, across restarts. Raises NU007 for a unit that is not in the fleet.

create or replace function cordon_unit(p_address text) returns void
language sql security definer set search_path from current
as $$ select append_operator_request(p_address, 'UnitCordoned', '{}') $$;
