-- lease_has_expired under its name in 0.1.0, whose demo calls it. Remove when min_writer reaches 2.

create or replace function lease_is_over(p_lease lease) returns boolean
language sql
as $$ select lease_has_expired(p_lease) $$;
