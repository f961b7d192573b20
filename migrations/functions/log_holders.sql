-- The units that should send for these requests: the one that is named, or the one that holds the row; of a daemon row
-- every unit in the fleet.

create or replace function log_holders(p_requests uuid[])
returns table (request_id uuid, address text, claim_version integer)
language sql stable as $$
    select r.id, r.unit_address, coalesce(d.address_version, 0)
    from log_request r left join deployment d on d.id = r.deployment_id
    where r.id = any (p_requests) and r.unit_address <> ''
    union all
    select r.id, d.address, d.address_version
    from log_request r join deployment d on d.id = r.deployment_id
    where r.id = any (p_requests) and r.unit_address = '' and d.type = 'deployment' and d.address <> ''
    union all
    select r.id, l.address, 0
    from log_request r join deployment d on d.id = r.deployment_id cross join lease l
    where r.id = any (p_requests) and r.unit_address = '' and d.type = 'daemon' and l.epoch is not null
$$;
