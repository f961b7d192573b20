-- name: units_named
-- A unit by its address, the beginning of it, or its name; those in the fleet first.
select u.address, u.name, u.membership, u.cordoned,
       (select count(*) from deployment d where d.address = u.address and d.type = 'deployment') as rows
from unit u
where u.address = %(unit)s or u.name = %(unit)s or starts_with(u.address, %(unit)s)
order by u.membership in ('left', 'lost'), u.address

-- name: cordon_unit
select cordon_unit(%(address)s)

-- name: uncordon_unit
select uncordon_unit(%(address)s)

-- name: drain_unit
select drain_unit(%(address)s, make_interval(secs => %(within_s)s))
