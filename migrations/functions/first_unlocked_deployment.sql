-- The first of these rows that no other transaction has changed or locked; null if there is none. Asked by a unit that
-- moves its rows away, before it stops a program whose row it could not release. Rows of others are left out, because the
-- answer locks the row.

create or replace function first_unlocked_deployment(p_ids uuid[]) returns uuid
language sql security definer set search_path from current
as $$
    select id from deployment where id = any (p_ids) and acts_for(address) order by id limit 1 for no key update skip locked
$$;
