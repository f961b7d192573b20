-- The second half of archiving: drops the events that, by the LogArchived event of this transaction, are in a file. It
-- drops whole chunks of a hypertable, and deletes rows of an ordinary table, whose append-only trigger allows only this
-- function to delete. Raises NU005 without that event, NU008 if more or fewer events are dropped than the file has.

create or replace function drop_archived_events(p_sha256 text) returns bigint
language plpgsql security definer set search_path from current as $$
declare
    v_archived jsonb := (
        select e.data from event e
        where e.stream_id = 'log' and e.type = 'LogArchived' and e.data ->> 'sha256' = p_sha256
          and e.transaction_id = (select log_transaction_id())
    );
    v_before timestamptz := v_archived ->> 'before';
    v_dropped bigint;
begin
    if v_archived is null then
        raise exception 'events are append-only: no LogArchived event of this transaction names a file with the checksum %',
            p_sha256 using errcode = 'NU005', hint = 'run: nodeunit archive';
    end if;
    if is_hypertable('event') then
        -- The count still holds, because append_snapshots has locked the chunks.
        perform drop_chunks('event', older_than => v_before);
        perform from event e where e.recorded_at < v_before;
        v_dropped := case when found then -1 else (v_archived ->> 'events')::bigint end;
    else
        delete from event e where e.recorded_at < v_before;
        get diagnostics v_dropped = row_count;
    end if;
    if v_dropped <> (v_archived ->> 'events')::bigint then
        raise exception 'another transaction wrote events before % while they were being archived', v_before
            using errcode = 'NU008', hint = 'archive it again, to another file';
    end if;
    return v_dropped;
end
$$;
