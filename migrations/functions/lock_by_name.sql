-- A lock until the end of the transaction. It is a row, because an advisory lock can be taken by everybody who may connect.

create or replace function lock_by_name(p_name text) returns void
language plpgsql as $$
begin
    perform from named_lock where name = p_name for update;
    if not found then
        insert into named_lock (name) values (p_name) on conflict on constraint named_lock_pkey do nothing;
        perform from named_lock where name = p_name for update;
    end if;
end
$$;
