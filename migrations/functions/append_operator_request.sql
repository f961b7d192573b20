-- Appends what an operator asks of a unit to its membership stream, and wakes the unit.
-- Raises NU007 for a unit that is not in the fleet.

create or replace function append_operator_request(p_address text, p_type text, p_data jsonb) returns void
language plpgsql as $$
begin
    -- No row of the lease is locked: this transaction may be a person's, who leaves it open.
    perform lock_membership(p_address);
    perform from lease where address = p_address and epoch is not null;
    if not found then
        raise exception 'no unit in the fleet has the address %', p_address
            using errcode = 'NU007', hint = 'the addresses stand in table unit';
    end if;
    perform append_membership(
        p_address, 'present', p_type, p_data || jsonb_build_object('by', session_user), gen_random_uuid()
    );
    perform wake('unit', p_address);
end
$$;
