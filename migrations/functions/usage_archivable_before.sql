-- The latest time, p_before or earlier, at which usage samples can be cut: a whole hour, or the end of a chunk of a
-- hypertable. Null if no sample lies before it.

create or replace function usage_archivable_before(p_before timestamptz) returns timestamptz
language plpgsql stable set search_path from current as $$
declare
    v_cut timestamptz := date_trunc('hour', least(p_before, clock_timestamp()), 'UTC');
begin
    if is_hypertable('usage') then
        select max(c.ends_at) into v_cut from chunks_before('usage', v_cut) c;
    end if;
    return (select v_cut where exists (select from usage u where u.recorded_at < v_cut));
end
$$;
