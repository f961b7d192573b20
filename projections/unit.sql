-- unit: every unit that ever joined, folded from its membership stream. Leases are not here, because they are not
-- events.

create or replace function fold_unit(p_unit unit, p_event event) returns unit
language plpgsql immutable parallel safe as $$
declare
    v_supervisor uuid := p_event.data ->> 'supervisor';
begin
    p_unit.address := p_event.unit_address;
    p_unit.version := p_event.stream_version;
    p_unit.since := p_event.recorded_at;
    case p_event.type
        when 'UnitJoined' then
            p_unit.membership := 'present';
            p_unit.cordoned := coalesce(p_unit.cordoned, false);
            p_unit.epoch := p_event.stream_version;
            if p_unit.supervisor is null or p_unit.supervisor is distinct from v_supervisor then
                p_unit.supervisor := v_supervisor;
                p_unit.supervisor_epoch := p_event.stream_version;
            end if;
            p_unit.name := p_event.data ->> 'name';
            p_unit.host := p_event.data ->> 'host';
            p_unit.policy := p_event.data ->> 'policy';
            p_unit.cpu_weight := p_event.data ->> 'cpu_weight';
            p_unit.memory_weight := p_event.data ->> 'memory_weight';
            p_unit.reserved_cpu_percent := p_event.data ->> 'reserved_cpu_percent';
            p_unit.reserved_memory_mb := p_event.data ->> 'reserved_memory_mb';
            p_unit.trusted := p_event.data ->> 'trusted';
            p_unit.custom_command := p_event.data ->> 'custom_command';
            p_unit.runtimes := case when p_event.data ? 'runtimes' then
                array(select jsonb_array_elements_text(p_event.data -> 'runtimes')) end;
            p_unit.secrets := case when p_event.data ? 'secrets' then
                array(select jsonb_array_elements_text(p_event.data -> 'secrets')) end;
            p_unit.software := p_event.data ->> 'version';
        -- The whole row by the archived events, with its own version and since.
        when 'UnitSnapshot', 'UnitCarried' then p_unit := jsonb_populate_record(p_unit, p_event.data);
        when 'UnitCordoned' then p_unit.cordoned := true;
        when 'UnitUncordoned' then
            p_unit.cordoned := false;
            p_unit.drain_until := null;
        when 'UnitDrainRequested' then
            p_unit.cordoned := true;
            p_unit.drain_until := p_event.data ->> 'until';
        when 'UnitDrained' then p_unit.drain_until := null;
        when 'UnitDraining', 'UnitSupervisorDied' then p_unit.membership := 'draining';
        when 'UnitLeft' then p_unit.membership := 'left';
        when 'UnitLost' then p_unit.membership := 'lost';
        else null;
    end case;
    p_unit.supervisor_epoch := coalesce(p_unit.supervisor_epoch, 0);  -- not in the snapshots of 0.1.0
    return p_unit;
end
$$;

create or replace aggregate unit_of (event) (sfunc = fold_unit, stype = unit);

create or replace function unit_folded() returns setof unit
language sql stable
as $$
    select (folded.u).*
    from (
        select unit_of(e.* order by e.stream_version) as u
        from event e
        where e.stream_id like 'unit-%'
        group by e.unit_address
    ) folded;
$$;

create or replace function unit_differences()
returns table (key text, live text, folded text)
language sql stable
as $$
    select coalesce(u.address, f.address), u.*::text, f.*::text
    from unit u
    full join unit_folded() f on f.address = u.address
    where u.* is distinct from f.*;
$$;

create or replace function unit_rebuild() returns bigint
language plpgsql as $$
declare
    v_removed bigint;
    v_changed bigint;
begin
    -- Membership changes are rare, so blocking them during a fold does no harm.
    lock table membership_order in share row exclusive mode;
    delete from unit u where not exists (select from unit_folded() f where f.address = u.address);
    get diagnostics v_removed = row_count;
    insert into unit as u select f.* from unit_folded() f
    on conflict on constraint unit_pkey do update set
        (name, host, membership, epoch, version, since, policy, cpu_weight, memory_weight,
         reserved_cpu_percent, reserved_memory_mb, trusted, custom_command, software, cordoned, drain_until,
         runtimes, secrets, supervisor, supervisor_epoch) =
        (excluded.name, excluded.host, excluded.membership, excluded.epoch, excluded.version, excluded.since,
         excluded.policy, excluded.cpu_weight, excluded.memory_weight, excluded.reserved_cpu_percent,
         excluded.reserved_memory_mb, excluded.trusted, excluded.custom_command, excluded.software,
         excluded.cordoned, excluded.drain_until, excluded.runtimes, excluded.secrets,
         excluded.supervisor, excluded.supervisor_epoch)
    where u is distinct from excluded;
    get diagnostics v_changed = row_count;
    return v_removed + v_changed;
end
$$;
