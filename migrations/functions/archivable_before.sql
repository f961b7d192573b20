-- The latest time, p_before or earlier, at which the log can be cut. It is the end of a chunk of a hypertable, because
-- chunks are dropped whole; no event before it is still being written; no transaction has events on both sides of it; and
-- no stream goes back over it, as happens when a clock is set back. Null if only snapshots, or nothing, lie before it.

create or replace function archivable_before(p_before timestamptz) returns timestamptz
language plpgsql stable set search_path from current as $$
declare
    v_cut timestamptz := least(p_before, clock_timestamp());
    v_hypertable boolean := is_hypertable('event');
    v_high_water_mark xid8 :=
        (pg_snapshot_xmin(pg_current_snapshot())::text::bigint + log_transaction_offset())::text::xid8;
    v_crossed_at timestamptz;
begin
    loop
        if v_hypertable then
            select max(c.ends_at) into v_cut from chunks_before('event', v_cut) c;
        end if;
        -- Only transactions no later than the last on this side can have written on both sides.
        with other_side as materialized (
            select e.transaction_id, e.stream_id, e.stream_version
            from event e
            where e.recorded_at >= v_cut
              and e.transaction_id <= (select max(l.transaction_id) from event l where l.recorded_at < v_cut)
        )
        select min(e.recorded_at) into v_crossed_at
        from event e
        where e.recorded_at < v_cut
          and (
              e.transaction_id >= v_high_water_mark
              or e.transaction_id in (select o.transaction_id from other_side o)
              or e.stream_id in (select o.stream_id from other_side o)
                  and exists (
                      select from other_side o
                      where o.stream_id = e.stream_id and o.stream_version < e.stream_version
                  )
          );
        exit when v_crossed_at is null;
        v_cut := v_crossed_at;
    end loop;
    return (select v_cut where exists (select from event e where e.recorded_at < v_cut and e.type !~ '(Snapshot|Carried)$'));
end
$$;
