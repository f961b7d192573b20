-- Asks units for a heartbeat now, because they should have claimed a row and have not. Returns the time from which a
-- heartbeat counts as the answer, for suspect_units.

create or replace function probe_units(p_addresses text[]) returns timestamptz
language plpgsql security definer set search_path from current as $$
declare
    v_now timestamptz := clock_timestamp();
begin
    perform require_unit_login();
    perform require_argument(cardinality(p_addresses) <= 1000, 'at most 1000 units are probed at once');
    perform wake('unit', array_to_string(p_addresses, ','));
    return v_now;
end
$$;
