-- A unit joins: a new epoch, a lease, and the event UnitJoined with p_data, to which the epoch is added.
-- Raises NU002 while a unit of the same identity is alive under another supervisor. A daemon of the same supervisor
-- succeeds its predecessor, whose epoch ends here.

-- In 0.1.0 a parameter was called p_quiet_after. Parameter names cannot be changed in place, so the old function is
-- renamed, which lets running calls complete; after/0013 drops it.
do $$
begin
    if exists (
        select from pg_proc p
        where p.oid = to_regprocedure('join_unit(text, uuid, interval, interval, jsonb, uuid)') and 'p_quiet_after' = any (p.proargnames)
    ) then
        alter function join_unit(text, uuid, interval, interval, jsonb, uuid) rename to join_unit_0_1_0;
    end if;
end
$$;

create or replace function join_unit(
    p_address text, p_supervisor uuid, p_lease_ttl interval, p_inactive_after interval, p_data jsonb, p_event_id uuid
) returns integer
language plpgsql security definer set search_path from current as $$
declare
    v_now timestamptz := clock_timestamp();
    v_last timestamptz := (select max(l.renewed_at) from lease l);
    v_lease lease;
    v_epoch integer;
begin
    perform require_login_of(p_address);
    perform require_joinable(p_address, p_data);
    perform require_argument(p_lease_ttl > interval '0' and p_lease_ttl <= interval '1 hour', 'a lease is of at most one hour');
    perform require_argument(
        p_inactive_after >= interval '0' and p_inactive_after <= interval '1 hour', 'a unit is inactive within one hour'
    );
    perform lock_membership(p_address);
    insert into lease (address, supervisor, renewed_at, expires_at, inactive_at)
    values (p_address, p_supervisor, v_now, v_now + p_lease_ttl, v_now + p_inactive_after)
    on conflict on constraint lease_pkey do nothing;
    select * into v_lease from lease where address = p_address for update;

    if v_lease.epoch is not null and v_lease.supervisor <> p_supervisor then
        if not lease_has_expired(v_lease) then
            raise exception 'unit % is alive: its lease was renewed at % and runs until %',
                p_address, v_lease.renewed_at, v_lease.expires_at
                using errcode = 'NU002',
                      hint = 'give this unit another NODE_UNIT_NAME or NODE_UNIT_PASSWORD, or stop the other one';
        end if;
        perform append_membership(
            p_address, 'absent', 'UnitLost',
            jsonb_build_object('by', p_address, 'lease_expired_at', v_lease.expires_at), gen_random_uuid()
        );
    end if;

    -- The first join after a fleet-wide outage resets the lease baseline.
    if v_now - v_last > p_lease_ttl / 2 then
        update fleet set leases_count_from = v_now;
    end if;
    perform count_leases_anew_after_failover();

    v_epoch := append_membership(
        p_address, 'present', 'UnitJoined',
        p_data || jsonb_build_object('supervisor', p_supervisor, 'succeeds',
            case when v_lease.supervisor = p_supervisor then v_lease.epoch end),
        p_event_id
    );
    update lease
    set epoch = v_epoch, supervisor = p_supervisor, stream_version = 0, cpu_percent = null, memory_mb = null,
        renewed_at = v_now, expires_at = v_now + p_lease_ttl, inactive_at = v_now + p_inactive_after,
        ttl = p_lease_ttl, inactive_after = p_inactive_after
    where address = p_address;
    perform remove_dead_leases();
    return v_epoch;
end
$$;
