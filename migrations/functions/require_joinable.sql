-- What a unit says of itself when it joins (UnitJoined) is shown on terminals and computed with by every other unit. Raises
-- check_violation with the name of the rule: names without control characters, finite numbers, bounded lists.

create or replace function require_joinable(p_address text, p_data jsonb) returns void
language plpgsql as $$
declare
    v_broken text := (
        select r.rule from (values
            ('unit_address_is_plain', p_address ~ '^[^,[:space:][:cntrl:]]{1,200}$'),
            ('unit_is_an_object_of_at_most_256_kib',
                jsonb_typeof(p_data) = 'object' and octet_length(p_data::text) <= 262144),
            ('unit_name_has_no_control_characters',
                coalesce(p_data ->> 'name', '') ~ '^[^[:cntrl:]]{0,255}$'),
            ('unit_host_has_no_control_characters',
                coalesce(p_data ->> 'host', '') ~ '^[^[:cntrl:]]{0,255}$'),
            ('unit_version_has_no_control_characters',
                coalesce(p_data ->> 'version', '') ~ '^[^[:cntrl:]]{0,255}$'),
            ('unit_trusted_is_at_most_4096_characters', length(coalesce(p_data ->> 'trusted', '')) <= 4096),
            ('unit_weights_are_finite',
                measure((p_data ->> 'cpu_weight')::double precision) is not null
                and measure((p_data ->> 'memory_weight')::double precision) is not null
                or not p_data ? 'cpu_weight'),
            ('unit_reservations_are_finite',
                measure((p_data ->> 'reserved_cpu_percent')::double precision) is not null
                and measure((p_data ->> 'reserved_memory_mb')::double precision) is not null
                or not p_data ? 'reserved_cpu_percent'),
            ('unit_policy_is_known',
                coalesce(p_data ->> 'policy', 'none') in ('deployment_count', 'resource_usage', 'none'))
        ) as r (rule, holds)
        where r.holds is not true
        limit 1
    );
begin
    if v_broken is not null then
        raise exception 'the unit % breaks the rule %', left(p_address, 200), v_broken
            using errcode = 'check_violation', constraint = v_broken;
    end if;
end
$$;
