-- Appends events that only one unit writes: its rounds, its processes, its listener. The stream is
-- decision-<address>-<epoch>; its version is in the row of lease that also fences the unit. p_version is the version
-- that the unit expects the stream to have. The unit looks up a lost append by event_id; p_version makes a late
-- original fail, so nothing is written twice. p_events: [{"event_id", "type", "schema_version" | absent,
-- "deployment_id" | absent, "data"}, ...], in order. Raises as require_epoch does, and NU006 if the stream is at
-- another version.

create or replace function append_decisions(p_address text, p_epoch integer, p_version integer, p_events jsonb)
returns void
language plpgsql security definer set search_path from current as $$
begin
    update lease set stream_version = p_version + jsonb_array_length(p_events)
    where address = p_address and epoch = p_epoch and stream_version = p_version;
    if not found then
        perform require_epoch(p_address, p_epoch);
        raise exception 'stream decision-%-% is not at version %', p_address, p_epoch, p_version using errcode = 'NU006';
    end if;

    insert into event (event_id, stream_id, stream_version, type, schema_version, deployment_id, unit_address, data)
    select (e ->> 'event_id')::uuid, 'decision-' || p_address || '-' || p_epoch, p_version + n,
           e ->> 'type', coalesce((e ->> 'schema_version')::smallint, 1), (e ->> 'deployment_id')::uuid, p_address,
           e -> 'data'
    from jsonb_array_elements(p_events) with ordinality as given (e, n)
    order by n;
end
$$;
