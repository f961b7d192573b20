-- Every unit that ever joined, with its programs: the data of its snapshot event. Table unit keeps all of them, and so
-- do the snapshots. `states` has the rows of table program that go on; `programs` and `parked` are what readers of 0.1.0
-- know.

create or replace function units_archived(p_before timestamptz) returns table (stream_id text, data jsonb)
language sql stable set search_path from current set timezone = 'UTC'
as $$
    with told as (
        select e.unit_address, e.deployment_id, e.position, e.type, e.data, e.recorded_at
        from event e
        where e.recorded_at < p_before and e.type in ('ProcessStarted', 'ProcessExited', 'ProcessParked')
        union all
        select e.unit_address, (p.data ->> 'deployment_id')::uuid, e.position, 'ProcessStarted', p.data,
               (p.data ->> 'since')::timestamptz
        from event e
        cross join jsonb_array_elements(e.data -> 'programs') as p (data)
        where e.recorded_at < p_before and e.type in ('UnitSnapshot', 'UnitCarried')
        union all
        select e.unit_address, p.deployment_id::uuid, e.position, 'ProcessParked', null, null
        from event e
        cross join jsonb_array_elements_text(e.data -> 'parked') as p (deployment_id)
        where e.recorded_at < p_before and e.type in ('UnitSnapshot', 'UnitCarried')
    ), program as (
        select distinct on (t.unit_address, t.deployment_id) t.*
        from told t
        order by t.unit_address, t.deployment_id, t.position desc
    ), holding as (
        -- A lost unit does not record the end of its programs; the claim of the next holder implies it. Rows of type
        -- daemon are assigned to no unit.
        select p.*
        from program p
        left join assignments_archived(p_before) a on a.stream_id = 'assignment-' || p.deployment_id
        where coalesce(a.data ->> 'holder', p.unit_address) = p.unit_address
          and exists (select from deployments_archived(p_before) d where d.stream_id = 'deployment-' || p.deployment_id)
    ), programs as (
        select p.unit_address,
               coalesce(jsonb_agg(jsonb_build_object('since', p.recorded_at) || p.data order by p.deployment_id)
                   filter (where p.type = 'ProcessStarted'), '[]') as running,
               coalesce(jsonb_agg(p.deployment_id order by p.deployment_id)
                   filter (where p.type = 'ProcessParked'), '[]') as parked
        from holding p
        group by p.unit_address
    ), folded as (
        select e.stream_id, e.unit_address, to_jsonb(unit_of(e.* order by e.stream_version)) as data
        from event e
        where e.recorded_at < p_before and e.stream_id like 'unit-%'
        group by e.stream_id, e.unit_address
    ), states as (
        select p.unit_address, jsonb_agg(to_jsonb(p.*) order by p.deployment_id) as states
        from program_folded(p_before) p
        join folded u on u.unit_address = p.unit_address
        left join assignments_archived(p_before) a on a.stream_id = 'assignment-' || p.deployment_id
        -- It runs on while its supervisor lives, also where its unit is lost or its row was deleted.
        where p.pid is not null and u.data ->> 'membership' <> 'left'
            and p.epoch >= (u.data ->> 'supervisor_epoch')::integer
            -- It may also have ended unreported, with its supervisor: what was counted goes on with the claim.
            or coalesce(nullif(a.data ->> 'holder', ''), p.unit_address) = p.unit_address
            and exists (select from deployments_archived(p_before) d where d.stream_id = 'deployment-' || p.deployment_id)
        group by p.unit_address
    )
    select f.stream_id, f.data || case
        when f.data ->> 'membership' in ('left', 'lost') or p.unit_address is null
            then jsonb_build_object('programs', '[]'::jsonb, 'parked', '[]'::jsonb)
        else jsonb_build_object('programs', p.running, 'parked', p.parked)
    end || jsonb_build_object('states', coalesce(s.states, '[]'))
    from folded f
    left join programs p on p.unit_address = f.unit_address
    left join states s on s.unit_address = f.unit_address
$$;
