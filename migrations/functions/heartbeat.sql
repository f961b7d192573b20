-- The one statement of a heartbeat: renews the lease, stores the samples, and answers what the unit must know.
-- p_samples: [{"deployment_id", "claim_version", "cpu_percent", "memory_mb", "log_bytes"}, ...], the programs measured,
-- and {"log_bytes", "install_bytes"} without a deployment for the unit; the bytes are left out of most heartbeats.
-- The lease is renewed for p_lease_ttl, and at most for what the unit said when it joined.
-- p_cpu_percent is null if the unit has not measured itself yet.
-- The renewal is as durable as a claim, because programs run on it; the samples share its transaction and its round trip.
--
-- fenced    the epoch is not in force: decide nothing more, join again
-- expired   units whose lease has expired and that no unit has declared lost yet
-- waiting   whether there are rows that a unit could claim
-- drain_s   seconds left to move the rows away; null: no drain is requested
-- wake_up   the number of the newest notification; a listener behind it for a whole heartbeat is deaf
-- expires_s seconds until the next lease of another unit expires, unless that unit renews it; null: there is none

-- In 0.1.0 a parameter was called p_quiet_after. Parameter names cannot be changed in place, so the old function is
-- renamed, which lets running calls complete; after/0013 drops it.
do $$
begin
    if exists (
        select from pg_proc p
        where p.oid = to_regprocedure('heartbeat(text, integer, interval, interval, double precision, double precision, jsonb)') and 'p_quiet_after' = any (p.proargnames)
    ) then
        alter function heartbeat(text, integer, interval, interval, double precision, double precision, jsonb) rename to heartbeat_0_1_0;
    end if;
end
$$;

create or replace function heartbeat(
    p_address text, p_epoch integer, p_lease_ttl interval, p_inactive_after interval,
    p_cpu_percent double precision, p_memory_mb double precision, p_samples jsonb
) returns table (
    fenced boolean, expired text[], waiting boolean, drain_s double precision, wake_up bigint, expires_s double precision
)
language plpgsql security definer set search_path from current as $$
declare
    v_now timestamptz := clock_timestamp();
    v_last timestamptz := (select max(l.renewed_at) from lease l);
    -- An unusable number counts as not measured, because it must not cost the unit its lease.
    v_cpu_percent double precision := case when measure(p_memory_mb) is not null then measure(p_cpu_percent) end;
    v_memory_mb double precision := case when v_cpu_percent is not null then p_memory_mb end;
begin
    perform require_login_of(p_address);
    update lease l
    set renewed_at = v_now, expires_at = v_now + least(p_lease_ttl, l.ttl, interval '1 hour'),
        inactive_at = v_now + least(p_inactive_after, l.inactive_after, interval '1 hour'),
        cpu_percent = coalesce(v_cpu_percent, l.cpu_percent), memory_mb = coalesce(v_memory_mb, l.memory_mb),
        held = jsonb_array_length(p_samples), claimed_since_sample = 0
    where l.address = p_address and l.epoch = p_epoch;
    if not found then
        return query select true, '{}'::text[], false, null::double precision, 0::bigint, null::double precision;
        return;
    end if;

    if v_now - v_last > p_lease_ttl / 2 then
        update fleet set leases_count_from = v_now;
    end if;
    perform count_leases_anew_after_failover();

    if v_cpu_percent is not null then
        insert into usage (recorded_at, unit_address, cpu_percent, memory_mb, log_bytes, install_bytes)
        select v_now, p_address, v_cpu_percent, v_memory_mb, s.log_bytes, s.install_bytes
        from (select) one left join jsonb_to_recordset(p_samples) as s
            (deployment_id uuid, log_bytes bigint, install_bytes bigint) on s.deployment_id is null
        limit 1;
    end if;
    if jsonb_array_length(p_samples) > 0 then
        with sampled as (
            select * from jsonb_to_recordset(p_samples) as s
                (deployment_id uuid, claim_version integer, cpu_percent double precision, memory_mb double precision,
                 log_bytes bigint)
            where s.deployment_id is not null
              and measure(s.cpu_percent) is not null and measure(s.memory_mb) is not null
        ), held as materialized (
            -- Every unit computes with the newest sample of a row, so only its holder gives one. By key, row by row.
            select s.* from sampled s
            where (
                select d.type = 'deployment' and d.address = p_address and d.address_version >= s.claim_version
                from deployment d where d.id = s.deployment_id
            )
        ), recorded as (
            insert into usage (recorded_at, unit_address, deployment_id, cpu_percent, memory_mb, log_bytes)
            select v_now, p_address, s.deployment_id, s.cpu_percent, s.memory_mb, s.log_bytes from sampled s
        ), known as materialized (
            -- A row that another transaction has locked, as in the deletion of its deployment, is left unchanged: a
            -- sample is not worth waiting for, because the lease is not renewed meanwhile.
            select c.deployment_id from current_usage c join held s on s.deployment_id = c.deployment_id
            where c.claim_version <= s.claim_version
            for update of c skip locked
        ), updated as (
            update current_usage c
            set (claim_version, cpu_percent, memory_mb, sampled_at) =
                (s.claim_version, s.cpu_percent, s.memory_mb, v_now)
            from known k join held s on s.deployment_id = k.deployment_id
            where c.deployment_id = k.deployment_id
        )
        insert into current_usage (deployment_id, claim_version, cpu_percent, memory_mb, sampled_at)
        select s.deployment_id, s.claim_version, s.cpu_percent, s.memory_mb, v_now from held s
        where not exists (select from current_usage c where c.deployment_id = s.deployment_id)
        order by s.deployment_id
        on conflict on constraint current_usage_pkey do nothing;
    end if;

    return query select
        false,
        array(select l.address from lease l where l.expires_at < v_now and lease_has_expired(l.*) order by l.address),
        -- Ordered, and by a count, because both use an index. To find any row the planner would scan the table from its
        -- beginning and expect one soon; but new rows are at the end, and an idle fleet has none.
        (
            select d.id from deployment d where d.enabled and d.type = 'deployment' and d.address = ''
              and not exists (select from unusable_deployment b where b.deployment_id = d.id and b.revision = d.revision)
            order by d.updated_at, d.created_at, d.id limit 1
        ) is not null or exists (
            select from lease l
            where l.epoch is null and (
                select count(*) from deployment d
                where d.address = l.address and d.address <> '' and d.enabled and d.type = 'deployment'
            ) > 0
        ),
        (
            select greatest(extract(epoch from u.drain_until - v_now), 0)::double precision
            from unit u where u.address = p_address and u.drain_until is not null
        ),
        (select coalesce(max(w.number), 0) from wake_up w),
        (
            select extract(epoch from min(due.at) - v_now)::double precision
            from (
                select greatest(l.expires_at, f.leases_count_from + (l.expires_at - l.renewed_at)) as at
                from lease l, fleet f
                where l.epoch is not null and l.address <> p_address
            ) due
            where due.at > v_now
        );
end
$$;
