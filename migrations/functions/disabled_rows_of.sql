-- The disabled rows that a unit holds, with their env, which a unit reads of no other rows.

create or replace function disabled_rows_of(p_address text) returns setof deployment
language plpgsql stable security definer set search_path from current as $$
begin
    perform require_login_of(p_address);
    return query
    select d.* from deployment d
    where not d.enabled and d.address = p_address and d.address <> '' and d.type = 'deployment'
    order by d.id;
end
$$;
