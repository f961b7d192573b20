-- As for event: if usage is an ordinary table, samples that are rolled up are deleted from it, and hours are updated.

alter table usage_hourly replica identity full;

do $$
declare
    v_hypertable boolean := false;
begin
    if to_regclass('timescaledb_information.hypertables') is not null then
        execute 'select exists (
            select from timescaledb_information.hypertables h
            where h.hypertable_schema = current_schema() and h.hypertable_name = ''usage''
        )' into v_hypertable;
    end if;
    if not v_hypertable then
        alter table usage replica identity full;
    end if;
end
$$;
