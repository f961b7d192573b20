-- Makes the chunks of the log and of the usage samples that the next week needs. A chunk that began with the first row in
-- it would be visible only when the transaction of that row ends, and all other writers would wait for a transaction that
-- a person leaves open. Returns the number of chunks made. Called by migrate and, every few hours, by each unit; gives up
-- after 0.2 s of waiting, because the next call comes soon enough.
--
-- The Apache edition makes a chunk only for a row, so a row is inserted, and its chunk is emptied in the same transaction.

create or replace function make_chunks_ahead() returns integer
language plpgsql security definer set search_path from current set lock_timeout = '200ms' as $$
declare
    v_table text;
    v_at timestamptz;
    v_locked boolean;
    v_there boolean;
    v_chunk regclass;
    v_made integer := 0;
begin
    foreach v_table in array array['event', 'usage'] loop
        exit when not is_hypertable(v_table);
        foreach v_at in array array[clock_timestamp(), clock_timestamp() + interval '7 days'] loop
            -- Looked for again under the lock, because another session may have made it meanwhile.
            foreach v_locked in array array[false, true] loop
                if v_locked then
                    execute format('lock table only %I in share update exclusive mode', v_table);
                end if;
                execute 'select exists (
                    select from timescaledb_information.chunks c
                    where c.hypertable_schema = current_schema() and c.hypertable_name = $1
                      and c.range_start <= $2 and c.range_end > $2
                )' into v_there using v_table, v_at;
                exit when v_there;
            end loop;
            continue when v_there;
            if v_table = 'event' then
                insert into event (recorded_at, stream_id, stream_version, type) values (v_at, 'log', 1, 'ChunkMade')
                returning tableoid into v_chunk;
            else
                insert into usage (recorded_at, unit_address, cpu_percent, memory_mb) values (v_at, '', 0, 0)
                returning tableoid into v_chunk;
            end if;
            execute format('truncate %s', v_chunk);
            v_made := v_made + 1;
        end loop;
    end loop;
    return v_made;
end
$$;
