-- name: round_inputs
select r.units, r.candidates from inputs_of_round(%(refused)s::jsonb[], %(limit)s) as r

-- name: runs_elsewhere
-- Whether another unit has started a row since it was held at this version, within the last hour, so that few chunks
-- are read.
select exists (
    select from event e
    where e.deployment_id = %(deployment_id)s and e.type = 'ProcessStarted' and e.unit_address <> %(address)s
      and (e.data ->> 'claim_version')::integer > %(version)s and e.recorded_at > now() - interval '1 hour'
) as runs

-- name: confirm_reads
-- Locks the unit's lease row briefly. Such a transaction is written and waits for the standby, and with it for
-- everything that this session has read before.
select stream_version_now(%(address)s, %(epoch)s) is not null as in_force

-- name: disabled_rows_of
-- The rows that a unit holds and does not run.
select d.id, d.package_name, d.package_version, d.command, d.args, d.env, d.type, d.address, d.address_version,
       d.enabled, d.on_disconnect, d.revision, runtime_of(d.*) as runtime, program_options(d.*) as options
from disabled_rows_of(%(address)s) d
order by d.id

-- name: programs_of
-- The programs that should run on a unit: the rows it holds and every daemon row.
select d.id, d.package_name, d.package_version, d.command, d.args, d.env, d.type, d.address, d.address_version,
       d.enabled, d.on_disconnect, d.revision, runtime_of(d.*) as runtime, program_options(d.*) as options
from rows_to_run(%(address)s) d
order by d.id

-- name: existing_rows
select d.id from deployment d where d.id = any (%(ids)s)
