-- The first half of archiving, in one transaction with drop_archived_events. Each remaining stream gets one snapshot
-- event, which replaces all its events before p_before; LogArchived names the file. A snapshot has the version, the
-- position and the transaction of the last event that it replaces; only its recorded_at is p_before. So replaying the
-- remaining log gives the same state, in the order of versions, positions or commits, from any starting point. Raises
-- NU008 if the events before p_before differ from those in the file.
--
-- A stream ends, and gets no snapshot, with the deletion of the deployment or the end of the unit's epoch.

create or replace function append_snapshots(
    p_before timestamptz, p_file text, p_sha256 text, p_events bigint, p_digest bigint
) returns bigint
language plpgsql security definer set search_path from current set timezone = 'UTC' as $$
declare
    v_chunk regclass;
    v_found record;
    v_last event;
    v_snapshots bigint := 0;
    v_more bigint;
begin
    perform lock_by_name('archive');
    -- The lock waits for running writers; the digest then shows whether they wrote before the cut.
    for v_chunk in select c.chunk from chunks_before('event', p_before) c loop
        execute format('lock table %s in share row exclusive mode', v_chunk);
    end loop;
    select * into v_found from events_before(p_before);
    if (v_found.events, v_found.digest) is distinct from (p_events, p_digest) then
        raise exception 'the log before % has % events and not the % that were written to %',
            p_before, v_found.events, p_events, p_file
            using errcode = 'NU008', hint = 'archive it again, to another file';
    end if;
    perform from event e
    where e.recorded_at < p_before and e.stream_id !~ '^(deployment|assignment|unit|decision)-' and e.stream_id <> 'log';
    if found then
        raise exception 'the log before % has streams that this version cannot carry forward', p_before
            using errcode = 'NU008', hint = 'upgrade nodeunit';
    end if;

    insert into event
        (position, recorded_at, transaction_id, stream_id, stream_version, type, deployment_id, unit_address, data)
    overriding system value
    select l.position, p_before, l.transaction_id, l.stream_id, l.stream_version, c.type, l.deployment_id,
           l.unit_address, c.data
    from (
        select s.stream_id, 'DeploymentSnapshot' as type, s.data from deployments_archived(p_before) s
        union all
        select s.stream_id, 'AssignmentSnapshot', s.data from assignments_archived(p_before) s
        union all
        select s.stream_id, 'UnitSnapshot', s.data from units_archived(p_before) s
        union all
        select s.stream_id, 'DecisionsSnapshot', '{}' from decisions_archived(p_before) s
    ) c
    cross join lateral (
        select e.* from event e
        where e.stream_id = c.stream_id and e.recorded_at < p_before
        order by e.stream_version desc
        limit 1
    ) l;
    get diagnostics v_snapshots = row_count;

    perform from event c
    where c.recorded_at = p_before and c.type ~ '(Snapshot|Carried)$'
      and exists (
          select from event e
          where e.stream_id = c.stream_id and e.stream_version < c.stream_version and e.recorded_at >= p_before
      );
    if found then
        raise exception 'a stream goes back over %', p_before
            using errcode = 'NU008', hint = 'a clock was set back: choose another time';
    end if;

    perform remove_left_programs(p_before, v_found.last_position);

    select * into v_last from event where stream_id = 'log' order by stream_version desc limit 1;
    insert into event (stream_id, stream_version, type, schema_version, data)
    values ('log', coalesce(v_last.stream_version, 0) + 1, 'LogArchived', 2, jsonb_build_object(
        'file', p_file, 'sha256', p_sha256, 'before', p_before, 'events', p_events,
        'first_position', v_found.first_position, 'last_position', v_found.last_position,
        'digest', p_digest, 'snapshots', v_snapshots,
        'earlier', coalesce(v_last.data -> 'earlier', '[]') || case when v_last.data is null then '[]' else
            jsonb_build_array(v_last.data - array['digest', 'snapshots', 'carried', 'earlier']) end
    ));
    return v_snapshots;
end
$$;
