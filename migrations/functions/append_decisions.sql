-- Appends events that only one unit writes: its rounds, its processes, its listener. The stream is
-- decision-<address>-<epoch>; its version is in the row of lease that also fences the unit. p_version is the version
-- that the unit expects the stream to have. The unit looks up a lost append by event_id; p_version makes a late
-- original fail, so nothing is written twice. p_events: [{"event_id", "type", "schema_version" | absent,
-- "deployment_id" | absent, "data"}, ...], in order. Raises as require_epoch does, and NU006 if the stream is at
-- another version.
--
-- Process events are folded into table program in the same statement, by key. What ends of a deleted row is removed
-- instead. Nothing here waits for a person who has locked the row.

create or replace function append_decisions(p_address text, p_epoch integer, p_version integer, p_events jsonb)
returns void
language plpgsql security definer set search_path from current as $$
declare
    v_endpoints text[];
begin
    perform require_login_of(p_address);
    perform require_argument(p_version >= 0 and jsonb_array_length(p_events) <= 10000, 'at most 10000 events at once');
    perform require_argument(
        not exists (select from jsonb_array_elements(p_events) e where may_append(e ->> 'type') is not true),
        'a unit may not append events of this type'
    );
    update lease set stream_version = p_version + jsonb_array_length(p_events)
    where address = p_address and epoch = p_epoch and stream_version = p_version;
    if not found then
        perform require_epoch(p_address, p_epoch);
        raise exception 'stream decision-%-% is not at version %', p_address, p_epoch, p_version using errcode = 'NU006';
    end if;

    with written as (
        insert into event (event_id, stream_id, stream_version, type, schema_version, deployment_id, unit_address, data)
        select (e ->> 'event_id')::uuid, 'decision-' || p_address || '-' || p_epoch, p_version + n,
               e ->> 'type', coalesce((e ->> 'schema_version')::smallint, 1), (e ->> 'deployment_id')::uuid, p_address,
               e -> 'data'
        from jsonb_array_elements(p_events) with ordinality as given (e, n)
        order by n
        returning event.*
    ), told as materialized (
        select w.deployment_id, known.program as before,
               program_after(known.program, w::event, known.deployment_id is null order by w.position) as after
        from written w
        cross join lateral (
            select (select p from program p where p.deployment_id = w.deployment_id and p.unit_address = w.unit_address) as program,
                   (select d.id from deployment d where d.id = w.deployment_id) as deployment_id
        ) known
        where is_process_event(w.type) and w.deployment_id is not null
        group by w.deployment_id, known.program
    ), folded as (
        insert into program
        select (t.after).* from told t where (t.after).state is not null order by t.deployment_id
        on conflict on constraint program_pkey do update set
            (claim_version, revision, epoch, position, state, reason, detail, since, pid, port, started_at, ready_since,
             package_version, restarts, failures, next_try_at, ended_at, exit_code, exit_signal) =
            (excluded.claim_version, excluded.revision, excluded.epoch, excluded.position, excluded.state,
             excluded.reason, excluded.detail, excluded.since, excluded.pid, excluded.port, excluded.started_at,
             excluded.ready_since, excluded.package_version, excluded.restarts, excluded.failures,
             excluded.next_try_at, excluded.ended_at, excluded.exit_code, excluded.exit_signal)
    ), removed as (
        delete from program p
        where p.unit_address = p_address
          and p.deployment_id = any (array(
              select t.deployment_id from told t where (t.after).state is null
          ))
    )
    select array_agg(t.deployment_id::text) into v_endpoints
    from told t
    where program_endpoint(t.before) is distinct from program_endpoint(t.after);
    if v_endpoints is not null then
        perform notify_endpoints(v_endpoints);
    end if;
end
$$;
