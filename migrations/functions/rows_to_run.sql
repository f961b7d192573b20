-- What should run on a unit: the enabled rows that it holds and every enabled daemon row, with their env, which a unit
-- reads of no other rows.

create or replace function rows_to_run(p_address text) returns setof deployment
language plpgsql stable security definer set search_path from current as $$
begin
    perform require_login_of(p_address);
    return query
    select d.* from deployment d
    where d.enabled
      -- The index is limited to `<> ''`, which a generic plan cannot conclude from its parameter.
      and (d.address = p_address and d.address <> '' and d.type = 'deployment' or d.type = 'daemon')
    order by d.id;
end
$$;
