-- The right to append to a unit's membership stream, until the end of the transaction. It comes before the row of the
-- lease: a person who cordons a unit in a transaction and leaves that open holds this lock and no lease, so the unit's
-- heartbeats continue. Callers that must not wait use try_lock_membership and leave that unit out.

create or replace function lock_membership(p_address text) returns void
language plpgsql as $$
begin
    perform lock_by_name('membership ' || p_address);
end
$$;
