-- A whole claim round that found a candidate, in one transaction and without a notification: the events that lead up to
-- the claim (p_events: inputs, eligibility, attempt), then the claim. A row of a lost unit is released first.
-- Returns the claimed row. Returns no row if another unit was faster, or has the row locked; the conflict is recorded.
-- A row whose history is broken is recorded as unusable instead, and left out of rounds until it is changed.
-- Raises as append_decisions does; then nothing is written.

create or replace function claim_deployment(
    p_address text, p_epoch integer, p_stream_version integer, p_events jsonb,
    p_deployment_id uuid, p_version integer, p_holder text, p_event_id uuid
) returns setof deployment
language plpgsql security definer set search_path from current as $$
declare
    v_version integer := p_version;
    v_address text;
    v_won boolean;
    v_fault text;
begin
    -- What a claimant got wrong must not look like a row that nobody can claim.
    perform require_argument(p_event_id is not null, 'a claim has an id');
    perform append_decisions(p_address, p_epoch, p_stream_version, p_events);

    -- A locked row is being claimed or changed: waiting would only delay the decision of the ordering constraint. The
    -- row is locked before its order, as in the triggers, so that they cannot deadlock. The address is compared
    -- afterwards, because as a condition it would lead the planner to scan the index of all unassigned rows.
    select address into v_address from deployment
    where id = p_deployment_id and address_version = p_version and enabled and type = 'deployment'
    for no key update skip locked;
    v_won := found and v_address = p_holder;

    begin
        if v_won and p_holder <> '' then
            -- The lost unit may be joining again now; its row of lease decides which was first.
            perform from lease where address = p_holder and epoch is null for share skip locked;
            v_won := found and append_assignment(
                p_deployment_id, v_version + 1, '', 'DeploymentReleased', p_holder,
                jsonb_build_object('deployment_id', p_deployment_id, 'holder', p_holder, 'reason', 'unit_lost'),
                gen_random_uuid()
            );
            v_version := v_version + 1;
        end if;

        if v_won then
            if append_assignment(
                p_deployment_id, v_version + 1, p_address, 'DeploymentClaimed', p_address,
                jsonb_build_object('deployment_id', p_deployment_id, 'claimant', p_address), p_event_id
            ) then
                return query select * from deployment where id = p_deployment_id;
                return;
            end if;
            -- Its row is locked here, so no other writer can have been faster.
            raise exception 'the order of deployment % is ahead of its row', p_deployment_id using errcode = 'NU003';
        end if;
    exception
        when integrity_constraint_violation or sqlstate 'NU003' then
            v_fault := sqlerrm;
            insert into unusable_deployment (deployment_id, revision)
            select d.id, d.revision from deployment d where d.id = p_deployment_id
            on conflict on constraint unusable_deployment_pkey do update
            set (revision, noticed_at) = (excluded.revision, excluded.noticed_at);
    end;

    perform append_decisions(
        p_address, p_epoch, p_stream_version + jsonb_array_length(p_events),
        jsonb_build_array(jsonb_build_object(
            'event_id', p_event_id, 'deployment_id', p_deployment_id,
            'type', case when v_fault is null then 'DeploymentClaimSkipped' else 'DeploymentUnusable' end,
            'data', case when v_fault is null then jsonb_build_object(
                'reason', 'claim_conflict', 'deployment_id', p_deployment_id, 'claimant', p_address
            ) else jsonb_build_object('deployment_id', p_deployment_id, 'fault', v_fault) end
        ))
    );
end
$$;
