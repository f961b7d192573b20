-- The one check of a unit's epoch. Raises NU001 if p_epoch is not in force: the unit was lost, has left, or was
-- succeeded by a later daemon, and may write nothing. Callers that rely on the answer until they commit lock the row of
-- lease first.

create or replace function require_epoch(p_address text, p_epoch integer) returns void
language plpgsql as $$
begin
    perform from lease where address = p_address and epoch = p_epoch;
    if not found then
        raise exception 'epoch % of unit % is not in force', p_epoch, p_address using errcode = 'NU001';
    end if;
end
$$;
