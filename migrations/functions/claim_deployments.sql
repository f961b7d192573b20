-- Several claims of one unit in one transaction, each a round of its own, and without a notification.
-- p_claims: [{"deployment_id", "version", "holder", "event_id", "events": [...]}, ...], in the order of the rounds; the
-- events (inputs, eligibility, attempt) are as in append_decisions. Each claim follows its events in the log.
--
-- Returns the claimed rows. A row that another unit was faster to claim, or that is locked, is not among them; that
-- conflict is recorded, and costs the other rows nothing. Raises as append_decisions does; then nothing is written. If a
-- history is broken, each row is claimed by itself, so that the others are claimed and that one is recorded.

create or replace function claim_deployments(
    p_address text, p_epoch integer, p_stream_version integer, p_claims jsonb
) returns setof deployment
language plpgsql security definer set search_path from current
-- By index whatever the statistics say: a plan is kept for the session, and may have been made when tables were empty.
set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off as $$
declare
    v_stream text := 'decision-' || p_address || '-' || p_epoch;
    v_claim jsonb;
    v_version integer := p_stream_version;
    v_now timestamptz;
    v_written integer;
    v_won uuid[];
    v_ordered integer;
begin
    perform require_login_of(p_address);
    perform require_argument(
        p_stream_version >= 0 and jsonb_typeof(p_claims) = 'array' and jsonb_array_length(p_claims) <= 1000,
        'at most 1000 claims at once'
    );
    perform require_argument(
        not exists (
            select from jsonb_array_elements(p_claims) c
            where c ->> 'event_id' is null or c ->> 'version' is null or c ->> 'holder' is null
               or jsonb_typeof(c -> 'events') is distinct from 'array' or jsonb_array_length(c -> 'events') > 100
        ),
        'a claim has a version, a holder, an id and at most 100 events'
    );
    perform require_argument(
        not exists (
            select from jsonb_array_elements(p_claims) c, jsonb_array_elements(c -> 'events') e
            where may_append(e ->> 'type') is not true
        ),
        'a unit may not append events of this type'
    );
    begin
        -- The row that fences the unit comes first, as in append_decisions.
        perform from lease where address = p_address and epoch = p_epoch and stream_version = p_stream_version
        for no key update;
        if not found then
            perform require_epoch(p_address, p_epoch);
            raise exception 'stream % is not at version %', v_stream, p_stream_version using errcode = 'NU006';
        end if;

        v_now := clock_timestamp();
        with given as materialized (
            select n, (c ->> 'deployment_id')::uuid as id, (c ->> 'version')::integer as version, c ->> 'holder' as holder,
                   (c ->> 'event_id')::uuid as event_id, c -> 'events' as events
            from jsonb_array_elements(p_claims) with ordinality as claims (c, n)
        ), locked as materialized (
            -- Rows are locked before their orders, as in the triggers, and in one order, so that nobody deadlocks.
            select g.n, g.id, d.address
            from (select * from given order by id) g
            cross join lateral (
                select d.address from deployment d
                where d.id = g.id and d.address_version = g.version and d.enabled and d.type = 'deployment'
                for no key update skip locked
            ) d
        ), gone as materialized (
            -- A lost unit may be joining again now; its row of lease decides which was first.
            select l.address from lease l
            where l.epoch is null and l.address in (select g.holder from given g where g.holder <> '')
            order by l.address
            for share skip locked
        ), won as materialized (
            select g.n, g.id, g.version, g.holder, g.event_id, (g.holder <> '')::integer as released
            from given g join locked k on k.n = g.n
            where k.address = g.holder and (g.holder = '' or g.holder in (select address from gone))
        ), ordered as (
            insert into assignment_order (deployment_id, version, assignment, holder, previous_version, previous_assignment)
            select w.id, w.version + 1, 'free', '', w.version, 'held' from won w where w.released = 1
            union all
            select w.id, w.version + w.released + 1, 'held', p_address, w.version + w.released, 'free' from won w
            returning 1
        ), written as (
            insert into event (
                recorded_at, event_id, stream_id, stream_version, type, schema_version, deployment_id, unit_address, data
            )
            select v_now, s.event_id, s.stream_id,
                   case when s.stream_id = v_stream
                       then p_stream_version + row_number() over (partition by s.stream_id order by s.n, s.m) else s.version end,
                   s.type, s.schema_version, s.deployment_id, s.unit_address, s.data
            from (
                select g.n, e.m, (e.e ->> 'event_id')::uuid as event_id, v_stream as stream_id, 0 as version,
                       e.e ->> 'type' as type, coalesce((e.e ->> 'schema_version')::smallint, 1::smallint) as schema_version,
                       (e.e ->> 'deployment_id')::uuid as deployment_id, p_address as unit_address, e.e -> 'data' as data
                from given g cross join lateral jsonb_array_elements(g.events) with ordinality as e (e, m)
                union all
                select g.n, 1000, g.event_id, v_stream, 0, 'DeploymentClaimSkipped', 1::smallint, g.id, p_address,
                       jsonb_build_object('reason', 'claim_conflict', 'deployment_id', g.id, 'claimant', p_address)
                from given g where g.n not in (select w.n from won w)
                union all
                select w.n, 1001, gen_random_uuid(), 'assignment-' || w.id, w.version + 1, 'DeploymentReleased', 1::smallint,
                       w.id, w.holder, jsonb_build_object('deployment_id', w.id, 'holder', w.holder, 'reason', 'unit_lost')
                from won w where w.released = 1
                union all
                select w.n, 1002, w.event_id, 'assignment-' || w.id, w.version + w.released + 1, 'DeploymentClaimed', 1::smallint,
                       w.id, p_address, jsonb_build_object('deployment_id', w.id, 'claimant', p_address)
                from won w
            ) s
            order by s.n, s.m
            returning stream_id
        ), held as (
            update deployment d
            set address = p_address, address_version = w.version + w.released + 1, address_since = v_now
            from won w
            where d.id = w.id and d.address_version = w.version
            returning d.id
        )
        select (select count(*) from written x where x.stream_id = v_stream),
               (select array_agg(h.id) from held h), (select count(*) from won)
        into v_written, v_won, v_ordered;
        if coalesce(cardinality(v_won), 0) <> v_ordered then
            raise exception 'claimed rows are not at the versions of their assignment streams' using errcode = 'NU003';
        end if;
        update lease
        set stream_version = p_stream_version + v_written, held = coalesce(held, 0) + v_ordered,
            claimed_since_sample = coalesce(claimed_since_sample, 0) + v_ordered
        where address = p_address and epoch = p_epoch;
        return query select d.* from deployment d where d.id = any (v_won);
        return;
    exception
        when integrity_constraint_violation or sqlstate 'NU003' then null;
    end;

    for v_claim in select c from jsonb_array_elements(p_claims) as claims (c) loop
        return query select * from claim_deployment(
            p_address, p_epoch, v_version, v_claim -> 'events', (v_claim ->> 'deployment_id')::uuid,
            (v_claim ->> 'version')::integer, v_claim ->> 'holder', (v_claim ->> 'event_id')::uuid
        );
        v_version := v_version + jsonb_array_length(v_claim -> 'events') + (not found)::integer;
    end loop;
end
$$;
