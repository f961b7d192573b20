-- name: deployments_like
-- Every deployment that ever existed has a version 0, unless its history is broken; an id may be given by its beginning.
(
    select o.deployment_id
    from assignment_order o
    where o.deployment_id between %(lowest)s and %(highest)s and o.version = 0
    order by o.deployment_id
    limit 11
)
union
(select d.id from deployment d where d.id between %(lowest)s and %(highest)s order by d.id limit 11)
order by 1
limit 11

-- name: units_like
-- Units by address, its beginning, or name; those in the fleet first.
select u.address, u.name, u.membership, u.cordoned,
       (select count(*) from deployment d where d.address = u.address and d.type = 'deployment') as rows
from unit u
where u.address = %(unit)s or u.name = %(unit)s or starts_with(u.address, %(unit)s)
order by u.membership in ('left', 'lost'), u.since desc nulls last, u.address

-- name: rows_to_move
-- What a unit holds, and what the other units can run that take part in rounds now.
select d.id, d.package_name || '@' || d.package_version as package, d.command <> '' as has_command, d.enabled,
       case when d.runtime <> '' then d.runtime when d.command <> '' then 'command' else 'npm' end as runtime,
       secret_names(d.secrets) as secrets,
       array(
           select json_build_object('trusted', o.trusted, 'custom_command', o.custom_command,
                                    'runtimes', coalesce(o.runtimes, '{}'), 'secrets', coalesce(o.secrets, '{}'))
           from unit o
           join lease l on l.address = o.address and l.epoch = o.epoch
           where o.address <> %(address)s and o.membership = 'present' and not o.cordoned and o.policy <> 'none'
             and l.inactive_at > clock_timestamp()
       ) as others
from deployment d
where d.address = %(address)s and d.address <> '' and d.type = 'deployment'
order by d.id

-- name: holders_of
-- The unit that holds each of these rows now; empty if none does, or if the row was deleted.
select m.id, coalesce(d.address, '') as address
from unnest(%(ids)s::uuid[]) as m (id)
left join deployment d on d.id = m.id
order by m.id

-- name: unit_names
select u.address, u.name from unit u

-- name: database_time
select clock_timestamp() as now
