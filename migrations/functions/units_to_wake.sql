-- Whom to wake for new rows: as many of the units with the least load as there are rows, of each group that compares
-- itself, and one that watches whether these claim; '*' where that is nearly everybody. Loads are hints here. A unit that
-- was woken and is not the one that should claim wakes that one.

create or replace function units_to_wake(p_rows bigint) returns text
language plpgsql stable as $$
declare
    v_most constant integer := 20;  -- more would be no fewer wake-ups than one for all
    v_named text[];
    v_online bigint;
begin
    if p_rows + 1 > v_most then
        return '*';
    end if;
    select array_agg(r.address order by r.address) filter (where r.place <= p_rows + 1), count(*)
    into v_named, v_online
    from (
        select u.address, row_number() over (
            partition by u.policy, u.cpu_weight, u.memory_weight
            order by case when u.policy = 'deployment_count' then coalesce(l.held, 0) else
                coalesce(measure(l.cpu_percent), 0) * u.cpu_weight + coalesce(measure(l.memory_mb), 0) / 1024 * u.memory_weight
                + coalesce(l.claimed_since_sample, 0) * (u.reserved_cpu_percent * u.cpu_weight + u.reserved_memory_mb / 1024 * u.memory_weight)
            end, u.address
        ) as place
        from lease l
        join unit u on u.address = l.address and u.epoch = l.epoch
        where u.membership = 'present' and not u.cordoned and u.policy <> 'none' and l.inactive_at > clock_timestamp()
    ) r;
    if coalesce(cardinality(v_named), 0) not between 1 and v_most or cardinality(v_named) >= v_online - 1 then
        return '*';
    end if;
    return array_to_string(v_named, ',');
end
$$;
