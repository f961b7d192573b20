-- name: usage_of_units
select u.bucket_start, u.unit, u.unit_address, null::uuid as deployment_id, '' as package, u.samples,
       u.cpu_percent_avg, u.cpu_percent_max, u.memory_mb_avg, u.memory_mb_max
from usage_per_unit(%(bucket)s, %(since)s, %(until)s) u
where %(unit_address)s::text is null or u.unit_address = %(unit_address)s
order by u.unit, u.unit_address, u.bucket_start

-- name: usage_of_deployments
-- Selected by the beginning of the deployment's id; empty selects all.
select u.bucket_start, u.unit, u.unit_address, u.deployment_id,
       coalesce(u.package_name || '@' || u.package_version, '') as package, u.samples,
       u.cpu_percent_avg, u.cpu_percent_max, u.memory_mb_avg, u.memory_mb_max
from usage_per_deployment(%(bucket)s, %(since)s, %(until)s) u
where (%(unit_address)s::text is null or u.unit_address = %(unit_address)s)
  and starts_with(u.deployment_id::text, %(deployment)s)
order by u.unit, u.unit_address, u.deployment_id, u.bucket_start
