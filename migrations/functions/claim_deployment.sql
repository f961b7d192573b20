-- A whole claim round that found a candidate, in one transaction and without a notification: the events that lead up to
-- the claim (p_events: inputs, eligibility, attempt), then the claim. A row of a lost unit is released first.
-- Returns the row as claimed. Returns nothing when another unit was faster, or has the row locked; the conflict is recorded.
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
begin
    perform append_decisions(p_address, p_epoch, p_stream_version, p_events);

    -- A row that is locked is being claimed or changed: waiting would only delay what the ordering constraint would say.
    -- The row before its order, as in the triggers, so that no two deadlock. The address is compared afterwards, because
    -- as a condition it would lead the planner to scan the index of all unassigned rows.
    select address into v_address from deployment
    where id = p_deployment_id and address_version = p_version and enabled and type = 'deployment'
    for no key update skip locked;
    v_won := found and v_address = p_holder;

    if v_won and p_holder <> '' then
        -- The lost unit may be joining again at this moment: its row of lease decides which came first.
        perform from lease where address = p_holder and epoch is null for share skip locked;
        v_won := found and append_assignment(
            p_deployment_id, v_version + 1, '', 'DeploymentReleased', p_holder,
            jsonb_build_object('deployment_id', p_deployment_id, 'holder', p_holder, 'reason', 'unit_lost'),
            gen_random_uuid()
        );
        v_version := v_version + 1;
    end if;

    if v_won and append_assignment(
        p_deployment_id, v_version + 1, p_address, 'DeploymentClaimed', p_address,
        jsonb_build_object('deployment_id', p_deployment_id, 'claimant', p_address), p_event_id
    ) then
        return query select * from deployment where id = p_deployment_id;
        return;
    end if;

    perform append_decisions(
        p_address, p_epoch, p_stream_version + jsonb_array_length(p_events),
        jsonb_build_array(jsonb_build_object(
            'event_id', p_event_id, 'type', 'DeploymentClaimSkipped', 'deployment_id', p_deployment_id,
            'data', jsonb_build_object(
                'reason', 'claim_conflict', 'deployment_id', p_deployment_id, 'claimant', p_address
            )
        ))
    );
end
$$;
