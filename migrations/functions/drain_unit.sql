-- The unit gives its rows back one by one, and kills what is left when p_within has passed.
create or replace function drain_unit(p_address text, p_within interval) returns void
language sql security definer set search_path from current
as $$
    select append_operators_word(
        p_address, 'UnitDrainRequested', jsonb_build_object('until', clock_timestamp() + p_within)
    )
$$;
