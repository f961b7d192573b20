-- The right to append to a unit's membership stream, until the end of the transaction. It comes before the row of the
-- lease: a person who cordons a unit in a transaction and leaves that open holds this lock and no row, so the unit's
-- heartbeats continue. Callers that must not wait use try_lock_membership and leave that unit out.

create or replace function lock_membership(p_address text) returns void
language sql
as $$ select pg_advisory_xact_lock(hashtextextended('nodeunit membership ' || p_address, 0)) $$;
