-- A statement over the whole log locks each chunk and each of its indexes. With a chunk a day two years of log are more
-- than a server has room for as it comes; with thirty days five years are 61 chunks. Those that are there stay as they are.

do $$
begin
    if to_regclass('timescaledb_information.hypertables') is not null then
        execute 'select set_chunk_time_interval(format(''%I.%I'', h.hypertable_schema, h.hypertable_name)::regclass, interval ''30 days'')
            from timescaledb_information.hypertables h
            where h.hypertable_schema = current_schema() and h.hypertable_name in (''event'', ''usage'')';
    end if;
end
$$;
