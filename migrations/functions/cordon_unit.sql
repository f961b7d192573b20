create or replace function cordon_unit(p_address text) returns void
language sql security definer set search_path from current
as $$ select append_operators_word(p_address, 'UnitCordoned', '{}') $$;
