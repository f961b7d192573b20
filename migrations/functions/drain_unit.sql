-- An operator drains the unit: it releases its rows one by one, and kills what still runs after p_within.
-- Raises NU007 for a unit that is not in the fleet.

create or replace function drain_unit(p_address text, p_within interval) returns void
language plpgsql security definer set search_path from current as $$
begin
    perform require_argument(p_within >= interval '0' and p_within <= interval '30 days', 'a drain takes at most 30 days');
    perform append_operator_request(
        p_address, 'UnitDrainRequested', jsonb_build_object('until', clock_timestamp() + p_within)
    );
end
$$;
