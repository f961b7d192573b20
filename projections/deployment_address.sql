-- deployment.address: the unit that holds each deployment, folded from its assignment stream.
-- One fold function serves three callers: the transaction that appends, the rebuild, and the verification.

create or replace function fold_deployment_address(p_address text, p_type text, p_data jsonb) returns text
language sql immutable parallel safe
return case p_type
    when 'DeploymentClaimed' then p_data ->> 'claimant'
    when 'DeploymentAssigned' then p_data ->> 'holder'
    when 'DeploymentReleased' then ''
    when 'AssignmentSnapshot' then p_data ->> 'holder'
    when 'AssignmentCarried' then p_data ->> 'holder'
    else p_address
end;

create or replace aggregate deployment_address_of (type text, data jsonb) (
    sfunc = fold_deployment_address, stype = text, initcond = ''
);

-- The fold of the whole log: one row per deployment that was not deleted.
create or replace function deployment_address_folded()
returns table (deployment_id uuid, address text, address_version integer, address_since timestamptz)
language sql stable parallel safe
begin atomic
    select e.deployment_id,
           deployment_address_of(e.type, e.data order by e.stream_version),
           max(e.stream_version),
           max(
               case when e.type in ('AssignmentSnapshot', 'AssignmentCarried') then (e.data ->> 'since')::timestamptz else e.recorded_at end
           )
    from event e
    where e.stream_id like 'assignment-%'
      and not exists (
          select from event d
          where d.stream_id like 'deployment-%' and d.type = 'DeploymentDeleted' and d.deployment_id = e.deployment_id
            -- The id may have been reused.
            and not exists (
                select from event c
                where c.stream_id = d.stream_id and c.type = 'DeploymentCreated' and c.stream_version > d.stream_version
            )
      )
    group by e.deployment_id;
end;

-- Rows in which the live column and the fold differ. There should never be any.
create or replace function deployment_address_differences()
returns table (key text, live text, folded text)
language sql stable
begin atomic
    select coalesce(d.id, f.deployment_id)::text,
           d.address || ' v' || d.address_version,
           coalesce(f.address, '') || ' v' || coalesce(f.address_version, 0)
    from deployment d
    full join deployment_address_folded() f on f.deployment_id = d.id
    where d.id is null
       or (d.address, d.address_version) is distinct from (coalesce(f.address, ''), coalesce(f.address_version, 0));
end;

-- Sets the live columns to the fold. A row that changed while the log was being folded is newer than the fold, and is
-- kept.
create or replace function deployment_address_rebuild() returns bigint
language plpgsql as $$
declare
    v_changed bigint;
    v_folded jsonb;
begin
    -- In two steps, so that the version changes in each: a change of the address alone is that of a person, and the
    -- triggers of deployment would record it.
    with changed as (
        update deployment d set address_version = -1
        from deployment live
        left join deployment_address_folded() f on f.deployment_id = live.id
        where d.id = live.id
          and (live.address, live.address_version) is distinct from
              (coalesce(f.address, ''), coalesce(f.address_version, 0))
          and (d.address, d.address_version) = (live.address, live.address_version)
        returning d.id, f.address, f.address_version, f.address_since
    )
    select jsonb_agg(to_jsonb(c)) into v_folded from changed c;
    update deployment d
    set address = coalesce(f.address, ''),
        address_version = coalesce(f.address_version, 0),
        address_since = f.address_since
    from jsonb_to_recordset(v_folded) as f (id uuid, address text, address_version integer, address_since timestamptz)
    where d.id = f.id;
    get diagnostics v_changed = row_count;
    return v_changed;
end
$$;
