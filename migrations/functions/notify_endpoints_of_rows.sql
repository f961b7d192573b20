-- Notifies about what could be reached of these rows, because another unit gets them, or they are deleted.

create or replace function notify_endpoints_of_rows(p_deployment_ids uuid[]) returns void
language plpgsql as $$
declare
    v_endpoints text[] := (
        select array_agg(distinct p.deployment_id::text)
        from unnest(p_deployment_ids) as moved (deployment_id)
        join program p on p.deployment_id = moved.deployment_id
        where p.port is not null and p.state = 'running'
    );
begin
    if v_endpoints is not null then
        perform notify_endpoints(v_endpoints);
    end if;
end
$$;
