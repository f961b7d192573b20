-- Appends one event to a deployment's assignment stream: the order first, then the event, then the projection. Returns
-- false if that version exists already, because another writer was faster. Raises NU003 if the order and the row
-- disagree, which means that one of the tables is broken. Callers hold the lock of the row.

create or replace function append_assignment(
    p_deployment_id uuid, p_version integer, p_holder text,
    p_type text, p_unit_address text, p_data jsonb, p_event_id uuid
) returns boolean
language plpgsql as $$
declare
    v_recorded_at timestamptz := clock_timestamp();
begin
    insert into assignment_order (deployment_id, version, assignment, holder, previous_version, previous_assignment)
    values (
        p_deployment_id, p_version,
        case when p_holder = '' then 'free' else 'held' end, p_holder,
        p_version - 1, case when p_holder = '' then 'held' else 'free' end
    )
    on conflict on constraint assignment_order_has_one_event_per_version do nothing;
    if not found then
        return false;
    end if;

    insert into event (recorded_at, event_id, stream_id, stream_version, type, deployment_id, unit_address, data)
    values (
        v_recorded_at, p_event_id, 'assignment-' || p_deployment_id, p_version, p_type,
        p_deployment_id, p_unit_address, p_data
    );

    update deployment d
    set address = fold_deployment_address(d.address, p_type, p_data),
        address_version = p_version,
        address_since = v_recorded_at
    where d.id = p_deployment_id
      and d.address_version = p_version - 1;
    if not found and p_data ->> 'reason' is distinct from 'deleted' then
        raise exception 'deployment % is not at version % of its assignment stream', p_deployment_id, p_version - 1
            using errcode = 'NU003', hint = 'run: nodeunit projections verify';
    end if;
    return true;
end
$$;
