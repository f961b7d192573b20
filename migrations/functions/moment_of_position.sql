-- A moment by which everything up to a position had been recorded, so that looking at a position opens no later chunks.
-- Positions and times rise together, but for writers at the same instant, so it is found by halving; the hour is far
-- more than any writer takes from the one to the other. Volatile, so that in deployments_at(moment_of_position(n), n) it
-- is called once: a stable argument would be put in place of each p_at, and called for each row.
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
