-- Like lock_membership, without waiting: false if another transaction holds the lock.

create or replace function try_lock_membership(p_address text) returns boolean
language sql
as $$ select pg_try_advisory_xact_lock(hashtextextended('nodeunit membership ' || p_address, 0)) $$;
