-- Appends an operator's request to a unit to its membership stream, and wakes the unit.
-- Raises NU007 for a unit that is not in the fleet.

create or replace function append_operator_request(p_address text, p_type text, p_data jsonb) returns void
language plpgsql as $$
begin
    -- The row of lease is not locked, because a person may leave this transaction open.
    perform lock_membership(p_address);
    perform from lease where address = p_address and epoch is not null;
    if not found then
        raise exception 'no unit in the fleet has the address %', p_address
            using errcode = 'NU007', hint = 'table unit has the addresses';
    end if;
    perform append_membership(
        p_address, 'present', p_type, p_data || jsonb_build_object('by', session_user), gen_random_uuid()
    );
    perform wake('unit', p_address);
end
$$;
