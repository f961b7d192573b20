-- Notifies about what could be reached on these units, because it appears and vanishes with them.

create or replace function notify_endpoints_of_units(p_addresses text[]) returns void
language plpgsql as $$
declare
    v_endpoints text[] := (
        select array_agg(p.deployment_id::text) from program p
        where p.unit_address = any (p_addresses) and p.port is not null and p.state = 'running'
    );
begin
    if v_endpoints is not null then
        perform notify_endpoints(v_endpoints);
    end if;
end
$$;
