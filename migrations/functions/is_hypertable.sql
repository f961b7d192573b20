-- Whether a table of this schema is a hypertable; false without TimescaleDB.

create or replace function is_hypertable(p_table text) returns boolean
language plpgsql stable set search_path from current as $$
declare
    v_is boolean := false;
begin
    if to_regclass('timescaledb_information.hypertables') is not null then
        execute 'select exists (
            select from timescaledb_information.hypertables h
            where h.hypertable_schema = current_schema() and h.hypertable_name = $1
        )' into v_is using p_table;
    end if;
    return v_is;
end
$$;
