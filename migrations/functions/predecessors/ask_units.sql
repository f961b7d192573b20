-- probe_units under its name in 0.1.0, whose units call it. Remove when min_writer reaches 2.

create or replace function ask_units(p_addresses text[]) returns timestamptz
language plpgsql security definer set search_path from current as $$
begin
    return probe_units(p_addresses);
end
$$;
