-- An operator lets the unit claim again; a drain in progress ends, and the unit runs a round at once.
-- Raises NU007 for a unit that is not in the fleet.

create or replace function uncordon_unit(p_address text) returns void
language sql security definer set search_path from current
as $$ select append_operator_request(p_address, 'UnitUncordoned', '{}') $$;
