-- Declares units lost whose leases have expired: their epochs end, so that nothing more can be written under their
-- addresses. Returns the units that it declared lost. It leaves out a unit whose lease is good, that another unit has
-- declared lost, or whose lease or membership another transaction has locked, because it never waits; the next
-- heartbeat names those again. A unit is lost once, and a unit whose own lease has expired declares none. Raises as
-- require_epoch does, for the unit that declares.
--
-- The lease of the declaring unit is not locked, because its claims lock it first and then that of the unit they take
-- from, and the two would deadlock.

create or replace function declare_units_lost(p_by text, p_epoch integer, p_addresses text[]) returns text[]
language plpgsql security definer set search_path from current as $$
declare
    v_heard_at timestamptz := (select max(l.renewed_at) from lease l);
    v_addresses text[];
    v_lost text[];
begin
    perform require_login_of(p_by);
    perform require_epoch(p_by, p_epoch);
    v_addresses := array(
        select a.address from (select distinct unnest(p_addresses) as address order by 1) a
        where not lease_has_expired((select l.*::lease from lease l where l.address = p_by)) and try_lock_membership(a.address)
    );

    with over as materialized (
        select l.address, l.expires_at
        from lease l
        where l.address = any (v_addresses) and lease_has_expired(l.*)
          -- The server may have been frozen between the heartbeat that saw the lease expire and this call. Then no unit
          -- has sent a heartbeat for a while: all units share the outage, although no heartbeat has recorded it yet.
          and clock_timestamp() - v_heard_at <= (l.expires_at - l.renewed_at) / 2
        order by l.address
        for update of l skip locked
    ), ended as (
        update lease l set epoch = null from over o where l.address = o.address
    ), last as materialized (
        select o.address, o.expires_at, m.version, m.membership
        from over o
        cross join lateral (
            select w.version, w.membership from membership_order w
            where w.address = o.address order by w.version desc limit 1
        ) m
    ), ordered as (
        insert into membership_order (address, version, membership, previous_version, previous_membership)
        select l.address, l.version + 1, 'absent', l.version, l.membership from last l
    ), appended as (
        insert into event (stream_id, stream_version, type, unit_address, data)
        select 'unit-' || l.address, l.version + 1, 'UnitLost', l.address,
               jsonb_build_object('by', p_by, 'lease_expired_at', l.expires_at)
        from last l
        order by l.address
        returning unit_address
    )
    select coalesce(array_agg(a.unit_address order by a.unit_address), '{}') into v_lost from appended a;

    if cardinality(v_lost) > 0 then
        insert into unit
        select f.*
        from event e
        join unit w on w.address = e.unit_address
        cross join lateral fold_unit(w.*, e.*) as f
        where e.transaction_id = (select log_transaction_id()) and e.type = 'UnitLost' and e.unit_address = any (v_lost)
          -- They are of this transaction. The bound leaves old chunks unlocked, because migrate may be merging them.
          and e.recorded_at > now() - interval '1 hour'
        on conflict on constraint unit_pkey do update set
            (membership, version, since) = (excluded.membership, excluded.version, excluded.since);
        perform notify_endpoints_of_units(v_lost);
    end if;
    return v_lost;
end
$$;
