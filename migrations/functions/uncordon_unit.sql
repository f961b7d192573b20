-- Also ends a drain under way. The unit looks for rows at once.
create or replace function uncordon_unit(p_address text) returns void
language sql security definer set search_path from current
as $$ select append_operators_word(p_address, 'UnitUncordoned', '{}') $$;
