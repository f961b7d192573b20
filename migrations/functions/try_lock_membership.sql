-- As lock_membership, without waiting: false when somebody else has it.

create or replace function try_lock_membership(p_address text) returns boolean
language sql
as $$ select pg_try_advisory_xact_lock(hashtextextended('nodeunit membership ' || p_address, 0)) $$;
