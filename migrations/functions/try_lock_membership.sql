-- Like lock_membership, without waiting: false if another transaction holds the lock, or if no such unit ever joined.

create or replace function try_lock_membership(p_address text) returns boolean
language plpgsql as $$
begin
    perform from named_lock where name = 'membership ' || p_address for update skip locked;
    return found;
end
$$;
