-- suspect_units under its name in 0.1.0, whose units call it. Remove when min_writer reaches 2.

create or replace function doubt_units(p_by text, p_epoch integer, p_addresses text[], p_asked_at timestamptz)
returns boolean
language plpgsql security definer set search_path from current as $$
begin
    return suspect_units(p_by, p_epoch, p_addresses, p_asked_at);
end
$$;
