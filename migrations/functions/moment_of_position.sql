-- A time by which everything up to a position had been recorded, so that a query for a position does not scan later
-- chunks. Found by bisection, because positions and times rise together except among concurrent writers; the hour that
-- is added is far more than any writer takes. Volatile, so that it is called once in
-- deployments_at(moment_of_position(n), n): a stable function would be inlined wherever p_at is used and run once per
-- row.

create or replace function moment_of_position(p_position bigint) returns timestamptz
language plpgsql volatile as $$
declare
    v_from timestamptz := (select min(e.recorded_at) from event e);
    v_to timestamptz := (select max(e.recorded_at) from event e);
    v_middle timestamptz;
    v_position bigint;
begin
    while v_to - v_from > interval '1 second' loop
        v_middle := v_from + (v_to - v_from) / 2;
        select e.position into v_position
        from event e
        where e.recorded_at >= v_middle
        order by e.recorded_at
        limit 1;
        if v_position <= p_position then
            v_from := v_middle;
        else
            v_to := v_middle;
        end if;
    end loop;
    return v_to + interval '1 hour';
end
$$;
