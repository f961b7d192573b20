-- name: deployments_like
-- Every deployment that ever existed has a version 0; an id is known by its beginning.
select o.deployment_id
from assignment_order o
where o.deployment_id between %(lowest)s and %(highest)s and o.version = 0
order by o.deployment_id
limit 11

-- name: units_like
-- A unit by its address, the beginning of it, or its name; those in the fleet first.
select u.address, u.name, u.membership, u.cordoned,
       (select count(*) from deployment d where d.address = u.address and d.type = 'deployment') as rows
from unit u
where u.address = %(unit)s or u.name = %(unit)s or starts_with(u.address, %(unit)s)
order by u.membership in ('left', 'lost'), u.address

-- name: unit_names
select u.address, u.name from unit u

-- name: database_time
select clock_timestamp() as now
