-- name: deployment_address_differences
select d.key, d.live, d.folded from deployment_address_differences() d order by d.key

-- name: deployment_address_rebuild
select deployment_address_rebuild()

-- name: unit_differences
select u.key, u.live, u.folded from unit_differences() u order by u.key

-- name: unit_rebuild
select unit_rebuild()

-- name: program_differences
select p.key, p.live, p.folded from program_differences() p order by p.key

-- name: program_rebuild
select program_rebuild()
