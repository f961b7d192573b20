-- name: cordon_unit
select cordon_unit(%(address)s)

-- name: uncordon_unit
select uncordon_unit(%(address)s)

-- name: drain_unit
select drain_unit(%(address)s, make_interval(secs => %(within_s)s))
