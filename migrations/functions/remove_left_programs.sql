-- Removes the programs of which the remaining log tells nothing, once the snapshots at p_before are written: they are of
-- deleted rows, or ended on units that no longer hold the row. p_last_position is that of the last archived event.

create or replace function remove_left_programs(p_before timestamptz, p_last_position bigint) returns void
language sql
as $$
    with kept as materialized (
        select e.unit_address, (s.data ->> 'deployment_id')::uuid as deployment_id
        from event e
        cross join jsonb_array_elements(e.data -> 'states') as s (data)
        where e.recorded_at = p_before and e.type in ('UnitSnapshot', 'UnitCarried')
    ), left_over as materialized (
        select p.deployment_id, p.unit_address
        from program p
        where p.position <= p_last_position
          and not exists (
              select from kept k where k.deployment_id = p.deployment_id and k.unit_address = p.unit_address
          )
          and not program_counts(p)
        order by p.deployment_id, p.unit_address
        for update skip locked
    )
    delete from program p using left_over l where (p.deployment_id, p.unit_address) = (l.deployment_id, l.unit_address)
$$;
