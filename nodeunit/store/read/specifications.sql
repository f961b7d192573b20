-- name: specifications_of
-- The newest specifications of a row since it was made, the last one first; what changes no column is not one.
select e.stream_version as revision, e.recorded_at, e.type, e.data
from event e
where e.stream_id = 'deployment-' || %(id)s::text
  and e.type in ('DeploymentCreated', 'DeploymentChanged', 'DeploymentSnapshot', 'DeploymentCarried')
order by e.stream_version desc
limit %(limit)s

-- name: progress_of
-- How far the programs of a row are with its present revision: one per unit that should run it.
select coalesce(p.unit, '') as unit, p.state, p.reason, p.detail, p.since, d.revision, d.enabled,
       coalesce(r.revision, 0) as program_revision
from deployment d
join program_state p on p.deployment_id = d.id and (d.type = 'daemon' or coalesce(p.unit_address, '') = d.address)
left join program r on r.deployment_id = d.id and r.unit_address = p.unit_address
where d.id = %(id)s
order by p.unit
