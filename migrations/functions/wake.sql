-- Sends one notification. It is a hint without authority: the listener reads the state. The payload is the number, what
-- changed, and the units concerned ('*' for all). Never call it in the transaction of a claim, because a notification
-- takes a server-wide lock at commit.

create or replace function wake(p_what text, p_for text) returns void
language plpgsql security definer set search_path from current as $$
declare
    v_number bigint;
begin
    insert into wake_up default values returning number into v_number;
    perform pg_notify('nodeunit', v_number || ' ' || p_what || ' ' || p_for);
    -- Keeps the newest thousand rows. Rows that another session is deleting are left to it.
    if v_number % 1000 = 0 then
        delete from wake_up where number in (
            select w.number from wake_up w where w.number <= v_number - 1000 for update skip locked
        );
    end if;
end
$$;
