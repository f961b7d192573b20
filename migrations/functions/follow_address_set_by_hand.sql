-- Appends the events of an address that a person has set: a release by the old holder, an assignment to the new one.

create or replace function follow_address_set_by_hand(p_id uuid, p_version integer, p_old text, p_new text) returns void
language plpgsql as $$
declare
    v_appended boolean := true;
begin
    if p_new <> '' then
        -- A unit that is gone has no lease any more; with one, rounds find the row. It must not be removed meanwhile.
        perform from lease where address = p_new and epoch is null for key share;
        -- Only then: an insert beside a lease that its unit is changing would wait for that unit's transaction.
        if not exists (select from lease where address = p_new) then
            insert into lease (address, supervisor, renewed_at, expires_at, inactive_at)
            select u.address, gen_random_uuid(), u.since, u.since + interval '1 second', u.since
            from unit u where u.address = p_new
            on conflict on constraint lease_pkey do nothing;
        end if;
    end if;
    if p_new <> '' and not exists (select from lease where address = p_new) then
        raise exception 'no unit ever joined under the address %', p_new
            using errcode = 'NU004', constraint = 'deployment_address_is_of_a_known_unit',
                  hint = 'look the address up in table unit, or leave it empty for any unit';
    end if;
    if p_old <> '' then
        p_version := p_version + 1;
        v_appended := append_assignment(p_id, p_version, '', 'DeploymentReleased', p_old,
            jsonb_build_object('deployment_id', p_id, 'holder', p_old, 'reason', 'by_hand'), gen_random_uuid());
    end if;
    if v_appended and p_new <> '' then
        p_version := p_version + 1;
        v_appended := append_assignment(p_id, p_version, p_new, 'DeploymentAssigned', p_new,
            jsonb_build_object('deployment_id', p_id, 'holder', p_new, 'by', session_user), gen_random_uuid());
    end if;
    if not v_appended then
        raise exception 'deployment % was claimed or released at the same time', p_id
            using errcode = 'serialization_failure', hint = 'look at its address and try again';
    end if;
end
$$;
