-- A unit joins: a new epoch, a lease, and the event. p_data is what UnitJoined carries, without the epoch.
-- Raises NU002 while a unit of the same identity lives under another supervisor. The daemon of the same supervisor
-- succeeds its predecessor, whose epoch ends here.

create or replace function join_unit(
    p_address text, p_supervisor uuid, p_lease_ttl interval, p_quiet_after interval, p_data jsonb, p_event_id uuid
) returns integer
language plpgsql security definer set search_path from current as $$
declare
    v_now timestamptz := clock_timestamp();
    v_last timestamptz := (select max(l.renewed_at) from lease l);
    v_lease lease;
    v_epoch integer;
begin
    insert into lease (address, supervisor, renewed_at, expires_at, quiet_at)
    values (p_address, p_supervisor, v_now, v_now + p_lease_ttl, v_now + p_quiet_after)
    on conflict on constraint lease_pkey do nothing;
    select * into v_lease from lease where address = p_address for update;

    if v_lease.epoch is not null and v_lease.supervisor <> p_supervisor then
        if not lease_is_over(v_lease) then
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

    -- Whoever speaks first after a silence of all, be it an outage that a restarted daemon joins after, ends it for all.
    if v_now - v_last > p_lease_ttl / 2 then
        update fleet set leases_count_from = v_now;
    end if;

    v_epoch := append_membership(
        p_address, 'present', 'UnitJoined',
        p_data || jsonb_build_object('supervisor', p_supervisor, 'succeeds',
            case when v_lease.supervisor = p_supervisor then v_lease.epoch end),
        p_event_id
    );
    update lease
    set epoch = v_epoch, supervisor = p_supervisor, stream_version = 0, cpu_percent = null, memory_mb = null,
        renewed_at = v_now, expires_at = v_now + p_lease_ttl, quiet_at = v_now + p_quiet_after
    where address = p_address;
    return v_epoch;
end
$$;
