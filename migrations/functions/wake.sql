-- Sends one notification, or several where the addresses do not fit into one. It is a hint without authority: the
-- listener reads the state. The payload is the number, what changed, and the units concerned ('*' for all). Never call it
-- in the transaction of a claim, because a notification takes a server-wide lock at commit. Raises NU012 for words that
-- no listener would read.

create or replace function wake(p_what text, p_for text) returns void
language plpgsql security definer set search_path from current as $$
declare
    v_number bigint;
    v_for text;
begin
    if p_what !~ '^[a-z_]{1,20}$' or p_for !~ '^[^,[:space:][:cntrl:]]{1,200}(,[^,[:space:][:cntrl:]]{1,200})*$' then
        raise exception 'a wake-up is a word and addresses, and not % for %',
            quote_literal(left(p_what, 40)), quote_literal(left(p_for, 80)) using errcode = 'NU012';
    end if;
    -- A payload has less than 8000 bytes.
    for v_for in
        select string_agg(a.address, ',' order by a.n)
        from (
            select f.address, f.n, sum(octet_length(f.address) + 1) over (order by f.n) / 7600 as part
            from string_to_table(p_for, ',') with ordinality as f (address, n)
        ) a
        group by a.part
        order by a.part
    loop
        insert into wake_up default values returning number into v_number;
        perform pg_notify('nodeunit', v_number || ' ' || p_what || ' ' || v_for);
        -- Keeps the newest thousand rows. Rows that another session is deleting are left to it.
        if v_number % 1000 = 0 then
            delete from wake_up where number in (
                select w.number from wake_up w where w.number <= v_number - 1000 for update skip locked
            );
        end if;
    end loop;
end
$$;
