-- Retention of usage samples: replaces those before the cut by one row per hour in usage_hourly, in one transaction
-- that can be repeated safely. It removes whole chunks of a hypertable, and whole hours of an ordinary table. Returns
-- the time of the cut (null if no sample lies before it), the number of removed samples, and the number of hourly rows
-- that replace them.

create or replace function roll_up_usage(p_before timestamptz)
returns table (cut timestamptz, samples bigint, hours bigint)
language plpgsql security definer set search_path from current as $$
declare
    v_cut timestamptz := usage_archivable_before(p_before);
    v_hypertable boolean := is_hypertable('usage');
    v_chunk regclass;
    v_samples bigint;
    v_hours bigint;
begin
    -- Without the lock a late sample could be dropped uncounted. Deleted rows are counted by the same statement.
    for v_chunk in select c.chunk from chunks_before('usage', v_cut) c loop
        execute format('lock table %s in share row exclusive mode', v_chunk);
    end loop;
    -- Two statements, because a publication may refuse a delete from a hypertable even if it would delete nothing.
    execute 'with gone as (' || case when v_hypertable
        then 'select u.* from usage u where u.recorded_at < $1'
        else 'delete from usage u where u.recorded_at < $1 returning u.*' end || '
    ), rolled_up as (
        insert into usage_hourly as h (
            hour, unit_address, deployment_id, samples, cpu_percent_avg, cpu_percent_max, memory_mb_avg, memory_mb_max,
            log_bytes_max, install_bytes_max
        )
        select date_trunc(''hour'', g.recorded_at, ''UTC''), g.unit_address, g.deployment_id, count(*),
               avg(g.cpu_percent), max(g.cpu_percent), avg(g.memory_mb), max(g.memory_mb),
               max(g.log_bytes), max(g.install_bytes)
        from gone g
        group by 1, 2, 3
        on conflict on constraint usage_hourly_has_one_row_an_hour do update set
            samples = h.samples + excluded.samples,
            cpu_percent_avg = (h.cpu_percent_avg * h.samples + excluded.cpu_percent_avg * excluded.samples)
                / (h.samples + excluded.samples),
            cpu_percent_max = greatest(h.cpu_percent_max, excluded.cpu_percent_max),
            memory_mb_avg = (h.memory_mb_avg * h.samples + excluded.memory_mb_avg * excluded.samples)
                / (h.samples + excluded.samples),
            memory_mb_max = greatest(h.memory_mb_max, excluded.memory_mb_max),
            log_bytes_max = greatest(h.log_bytes_max, excluded.log_bytes_max),
            install_bytes_max = greatest(h.install_bytes_max, excluded.install_bytes_max)
        returning 1
    )
    select (select count(*) from gone), (select count(*) from rolled_up)'
    into v_samples, v_hours using v_cut;
    if v_samples > 0 and v_hypertable then
        perform drop_chunks('usage', older_than => v_cut);
    end if;
    return query select v_cut, v_samples, v_hours;
end
$$;
