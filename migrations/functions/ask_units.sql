-- Asks; returns the moment from which an answer counts.
create or replace function ask_units(p_addresses text[]) returns timestamptz
language plpgsql security definer set search_path from current as $$
declare
    v_now timestamptz := clock_timestamp();
begin
    perform wake('unit', array_to_string(p_addresses, ','));
    return v_now;
end
$$;
