-- One notification. A hint without authority: whoever hears it reads the state. The payload is the number, what changed,
-- and for whom ('*': everybody); never in the transaction of a claim, for it takes a server-wide lock at commit.

create or replace function wake(p_what text, p_for text) returns void
language plpgsql security definer set search_path from current as $$
declare
    v_number bigint;
begin
    insert into wake_up default values returning number into v_number;
    perform pg_notify('nodeunit', v_number || ' ' || p_what || ' ' || p_for);
    -- Keep the newest thousand; whoever deletes a row leaves the others' alone.
    if v_number % 1000 = 0 then
        delete from wake_up where number in (
            select w.number from wake_up w where w.number <= v_number - 1000 for update skip locked
        );
    end if;
end
$$;
