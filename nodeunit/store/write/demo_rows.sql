-- name: demo_lock
-- One demo at a time in a database; the lock ends with the session.
select pg_try_advisory_lock(hashtextextended('nodeunit demo', 0)) as taken, clock_timestamp() as started_at

-- name: demo_tables
select to_regclass('deployment') is not null and to_regclass('lease') is not null as there

-- name: demo_occupants
select (select count(*) from deployment) as deployments,
       (select count(*) from lease l where l.epoch is not null and not lease_has_expired(l.*)) as units

-- name: demo_insert_npm
-- The report's statement to the letter, but for the number. One statement sends one notification.
insert into deployment (package_name, package_version, enabled)
select '@yuants/app-portal', '0.2.26', true from generate_series(1, %(deployments)s)

-- name: demo_insert_python
insert into deployment (package_name, package_version, enabled, runtime)
select 'nodeunit-demo-server', '0.2.26', true, 'python' from generate_series(1, %(deployments)s)

-- name: demo_inserted
-- Asked in the transaction of the insert.
select id from deployment where created_at = transaction_timestamp()

-- name: demo_units
-- The units in the fleet, the number of rows each holds and what it uses now.
select l.address, l.cpu_percent, l.memory_mb, (
           select count(*) from deployment d where d.address = l.address and d.id = any (%(ids)s)
       ) as claimed
from lease l
where l.epoch is not null
order by l.address

-- name: demo_processes
-- The newest start of each deployment's program.
select distinct on (e.deployment_id)
       e.deployment_id, e.unit_address as address, (e.data ->> 'pid')::int as pid,
       (e.data ->> 'start_time')::bigint as start_time, (e.data ->> 'claim_version')::int as claim_version
from event e
where e.type = 'ProcessStarted' and e.deployment_id = any (%(ids)s)
order by e.deployment_id, e.position desc

-- name: demo_installs
-- On how many units an installation has begun and is complete, and what the last failed one said.
select count(distinct e.unit_address) filter (where e.type = 'ProgramInstalling') as begun,
       count(distinct e.unit_address) filter (where e.type = 'ProgramInstalled') as complete,
       (array_agg(e.data ->> 'detail' order by e.position desc) filter (where e.type = 'ProgramInstallFailed'))[1]
           as failure
from event e
where e.deployment_id = any (%(ids)s)
  and e.type in ('ProgramInstalling', 'ProgramInstalled', 'ProgramInstallFailed')

-- name: demo_delete
delete from deployment where id = any (%(ids)s)
