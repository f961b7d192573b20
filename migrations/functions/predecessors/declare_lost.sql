-- declare_units_lost for one unit, as the units of 0.1.0 call it. Remove when min_writer reaches 2.

create or replace function declare_lost(p_by text, p_epoch integer, p_address text, p_event_id uuid) returns boolean
language plpgsql security definer set search_path from current as $$
begin
    return cardinality(declare_units_lost(p_by, p_epoch, array[p_address])) > 0;
end
$$;
