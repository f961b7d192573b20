-- lease_has_expired under its name in 0.1.0, whose demo calls it. Goes when min_writer is 2.

create or replace function lease_is_over(p_lease lease) returns boolean
language sql
as $$ select lease_has_expired(p_lease) $$;
