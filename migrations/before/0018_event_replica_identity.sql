-- If event is an ordinary table, archiving deletes from it. A publication of all tables refuses a delete from a table
-- without a primary key, unless old rows are identified by all their columns. Chunks of a hypertable are dropped.

do $$
declare
    v_hypertable boolean := false;
begin
    if to_regclass('timescaledb_information.hypertables') is not null then
        execute 'select exists (
            select from timescaledb_information.hypertables h
            where h.hypertable_schema = current_schema() and h.hypertable_name = ''event''
        )' into v_hypertable;
    end if;
    if not v_hypertable then
        alter table event replica identity full;
    end if;
end
$$;
