-- Releases a row. Returns false if the unit no longer holds it at p_version. Raises as require_epoch does.

create or replace function release_deployment(
    p_address text, p_epoch integer, p_deployment_id uuid, p_version integer, p_reason text, p_event_id uuid
) returns boolean
language plpgsql security definer set search_path from current as $$
declare
    v_held boolean;
begin
    perform require_login_of(p_address);
    perform require_argument(p_reason ~ '^[a-z_]{1,40}$', 'a reason is a word');
    -- The row is locked before its order, because a person who moves or deletes the row has locked it while the trigger
    -- writes the order. Waiting for a person here would keep the row of lease locked and block the unit's heartbeats.
    perform from deployment
    where id = p_deployment_id and address_version = p_version and address = p_address
    for no key update skip locked;
    v_held := found;
    if not v_held then
        perform from deployment
        where id = p_deployment_id and address_version = p_version and address = p_address;
        if found then
            raise exception 'deployment % is locked by another transaction', p_deployment_id
                using errcode = 'NU009', hint = 'end the transaction that has changed or locked it';
        end if;
    end if;
    perform from lease where address = p_address for share;
    perform require_epoch(p_address, p_epoch);
    return v_held and append_assignment(
        p_deployment_id, p_version + 1, '', 'DeploymentReleased', p_address,
        jsonb_build_object('deployment_id', p_deployment_id, 'holder', p_address, 'reason', p_reason), p_event_id
    );
end
$$;
