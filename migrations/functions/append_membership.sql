-- Appends one event to a unit's membership stream and folds it into the projection. The version is the next one; the
-- constraint membership_order_has_one_event_per_version stops two writers of one version. Returns the version.

create or replace function append_membership(
    p_address text, p_membership text, p_type text, p_data jsonb, p_event_id uuid
) returns integer
language plpgsql as $$
declare
    v_last membership_order;
    v_event event;
begin
    -- One writer at a time. Callers take this lock before any row; those that must not wait try it first.
    perform lock_membership(p_address);
    select * into v_last from membership_order where address = p_address order by version desc limit 1;
    insert into membership_order (address, version, membership, previous_version, previous_membership)
    values (p_address, coalesce(v_last.version, 0) + 1, p_membership, v_last.version, v_last.membership);

    insert into event (event_id, stream_id, stream_version, type, unit_address, data)
    values (
        p_event_id, 'unit-' || p_address, coalesce(v_last.version, 0) + 1, p_type, p_address,
        case when p_type = 'UnitJoined'
            then p_data || jsonb_build_object('epoch', coalesce(v_last.version, 0) + 1) else p_data end
    )
    returning * into v_event;

    insert into unit as u
    select f.* from fold_unit((select w from unit w where w.address = p_address), v_event) as f
    on conflict on constraint unit_pkey do update set
        (name, host, membership, epoch, version, since, policy, cpu_weight, memory_weight,
         reserved_cpu_percent, reserved_memory_mb, trusted, custom_command, software, cordoned, drain_until,
         runtimes, secrets, supervisor, supervisor_epoch) =
        (excluded.name, excluded.host, excluded.membership, excluded.epoch, excluded.version, excluded.since,
         excluded.policy, excluded.cpu_weight, excluded.memory_weight, excluded.reserved_cpu_percent,
         excluded.reserved_memory_mb, excluded.trusted, excluded.custom_command, excluded.software,
         excluded.cordoned, excluded.drain_until, excluded.runtimes, excluded.secrets,
         excluded.supervisor, excluded.supervisor_epoch);
    if p_type in ('UnitJoined', 'UnitLeft', 'UnitLost') then
        perform notify_endpoints_of_units(array[p_address]);
    end if;
    return v_event.stream_version;
end
$$;
