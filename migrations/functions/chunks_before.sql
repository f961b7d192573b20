-- The chunks of a hypertable that end by p_before; empty for an ordinary table.

create or replace function chunks_before(p_table text, p_before timestamptz)
returns table (chunk regclass, ends_at timestamptz)
language plpgsql stable set search_path from current as $$
begin
    if to_regclass('timescaledb_information.chunks') is not null then
        return query execute
            'select format(''%I.%I'', c.chunk_schema, c.chunk_name)::regclass, c.range_end
             from timescaledb_information.chunks c
             where c.hypertable_schema = current_schema() and c.hypertable_name = $1 and c.range_end <= $2
             order by c.range_end'
        using p_table, p_before;
    end if;
end
$$;
