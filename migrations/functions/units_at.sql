-- Each unit that had joined by a given time, from the log alone; p_at and p_position as in deployments_at. After a clock
-- was set back before a join, there are times at which the log has later events of a unit and not its join.

create or replace function units_at(p_at timestamptz, p_position bigint default null) returns setof unit
language sql stable parallel safe
as $$
    select (folded.u).*
    from (
        select unit_of(e.* order by e.stream_version) as u
        from event e
        where e.stream_id like 'unit-%'
          and e.recorded_at <= p_at
          and (p_position is null or e.position <= p_position)
        group by e.unit_address
    ) folded
    where (folded.u).epoch is not null;
$$;
