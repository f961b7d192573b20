-- Replaces the chunks of one past interval of a hypertable by a single chunk, with the same rows. A log that was begun
-- with one chunk per day has more of them than a statement over all of it finds room to lock. The interval is the first
-- one after p_after that has several chunks. Returns its bounds and the number of chunks that it had; no row if there is
-- no such interval. To be called in a transaction of its own, by the owner of the table.
--
-- Rows are not changed, so neither are digests of archives. Who reads that interval meanwhile waits; units do not read it.

create or replace function merge_short_chunks(p_table text, p_after timestamptz)
returns table (starts_at timestamptz, ends_at timestamptz, chunks bigint)
language plpgsql set search_path from current as $$
declare
    v_chunk regclass;
begin
    if not is_hypertable(p_table) then
        return;
    end if;
    execute 'with interval_of as (
            select extract(epoch from d.time_interval) as s
            from timescaledb_information.dimensions d
            where d.hypertable_schema = current_schema() and d.hypertable_name = $1
        ), chunk as (
            select c.range_start, c.range_end, i.s,
                   to_timestamp(floor(extract(epoch from c.range_start) / i.s) * i.s) as starts_at
            from timescaledb_information.chunks c, interval_of i
            where c.hypertable_schema = current_schema() and c.hypertable_name = $1
        )
        select c.starts_at, c.starts_at + c.s * interval ''1 second'', count(*)
        from chunk c
        where c.starts_at > $2
        group by c.starts_at, c.s
        having count(*) > 1
           and max(c.range_end) <= c.starts_at + c.s * interval ''1 second''
           and c.starts_at + c.s * interval ''1 second'' <= now()
        order by c.starts_at
        limit 1'
    into starts_at, ends_at, chunks using p_table, p_after;
    if starts_at is null then
        return;
    end if;

    -- Another session that begins a chunk takes this lock too. It is taken first, so that no deadlock is possible.
    execute format('lock table only %I in share update exclusive mode', p_table);
    for v_chunk in
        select c.chunk from chunks_before(p_table, ends_at) c where c.ends_at > starts_at order by c.ends_at
    loop
        execute format('lock table %s in access exclusive mode', v_chunk);
    end loop;
    -- With constants, because the planner then locks only the chunks of this interval.
    execute format(
        'create temporary table rows_of_short_chunks on commit drop as
         select t.* from %I t where t.recorded_at >= %L and t.recorded_at < %L', p_table, starts_at, ends_at
    );
    perform drop_chunks(p_table, older_than => ends_at, newer_than => starts_at);
    execute format(
        'insert into %I overriding system value select r.* from pg_temp.rows_of_short_chunks r', p_table
    );
    return next;
end
$$;
