-- What becomes of each row, and where its program can be reached. docs/sql.md shows each with its result.

create or replace view program_state as
with place as (
    select d.id as deployment_id, d.package_name, d.package_version, d.type, d.enabled, d.restart, d.command <> '' as has_command,
           case when d.runtime <> '' then d.runtime when d.command <> '' then 'command' else 'npm' end as runtime,
           d.address as unit_address, d.address_version, coalesce(d.address_since, d.created_at) as address_since, d.updated_at
    from deployment d
    where d.type = 'deployment'
    union all
    -- Every unit runs the rows of type daemon.
    select d.id, d.package_name, d.package_version, d.type, d.enabled, d.restart, d.command <> '', d.runtime,
           coalesce(u.address, ''), d.address_version, d.created_at, d.updated_at
    from deployment d
    left join unit u on u.membership in ('present', 'draining')
    where d.type = 'daemon'
), program_of_place as (
    select l.*, u.name as unit, u.membership, u.since as membership_since, p.claim_version, p.pid, p.port, p.started_at,
           p.ready_since, p.package_version as resolved_version, p.restarts, p.failures, p.next_try_at, p.ended_at,
           p.exit_code, p.exit_signal, p.detail,
           p.state as reported, p.reason as reported_reason, p.since as reported_since,
           u.membership in ('lost', 'left') as unit_is_gone, p.pid is not null and p.epoch < u.supervisor_epoch as outlived,
           -- A row that asks for no restart after such an end has a program that ended, not one that waits.
           p.state = 'backoff' and (
               l.restart = 'on_failure' and p.exit_code = 0 and p.reason in ('exited', 'crash_loop')
               or l.restart = 'never' and p.reason in (
                   'exited', 'crash_loop', 'out_of_memory', 'too_many_processes', 'unhealthy', 'startup_timeout'
               )
           ) as completed
    from place l
    left join unit u on u.address = l.unit_address
    left join program p on p.deployment_id = l.deployment_id and p.unit_address = l.unit_address
        and (p.claim_version = l.address_version or p.claim_version = 0 and p.since >= l.address_since)
    union all
    -- A unit that no longer holds the row still runs its program, or a program of an earlier claim.
    select l.id, l.package_name, l.package_version, l.type, l.enabled, l.restart, l.command <> '', l.runtime,
           p.unit_address, l.address_version,
           l.address_since, l.updated_at, u.name, u.membership, u.since, p.claim_version, p.pid, p.port, p.started_at,
           p.ready_since, p.package_version, p.restarts, p.failures, p.next_try_at, p.ended_at, p.exit_code,
           p.exit_signal, p.detail, p.state, p.reason, p.since, false, false, false
    from program p
    join deployment l on l.id = p.deployment_id
    join unit u on u.address = p.unit_address
    where p.pid is not null and u.membership in ('present', 'draining') and p.epoch >= u.supervisor_epoch
      and not (
          (p.claim_version = l.address_version or p.claim_version = 0 and p.since >= coalesce(l.address_since, l.created_at))
          and (l.type = 'daemon' or l.address = p.unit_address)
      )
)
select p.deployment_id, p.package_name, p.package_version,
       p.unit,
       case
           when p.unit_is_gone then 'stopped'
           when p.outlived then 'stopped'
           when p.completed then 'stopped'
           when p.reported is not null then p.reported
           when not p.enabled then 'stopped'
           when p.unit_address = '' then 'waiting'
           else 'starting'
       end as state,
       case
           when p.unit_is_gone then 'unit_' || p.membership
           when p.outlived then 'supervisor_ended'
           when p.completed then 'completed'
           when not p.enabled and coalesce(p.reported, 'stopped') = 'stopped' then 'disabled'
           -- A crash loop is over after a healthy run, of which nothing is reported.
           when p.reported = 'running' and p.reported_since < clock_timestamp() - interval '1 minute'
               and p.reported_reason = 'crash_loop' then ''
           when p.reported is not null then p.reported_reason
           when p.unit_address <> '' then 'claimed'
           when exists (
               select from unusable_deployment b join deployment d on d.id = b.deployment_id and d.revision = b.revision
               where b.deployment_id = p.deployment_id
           ) then 'broken_history'
           when not exists (select from unit u where u.membership = 'present') then 'no_unit'
           when not exists (select from unit u where u.membership = 'present' and not u.cordoned) then 'units_cordoned'
           when p.has_command and not exists (
               select from unit u where u.membership = 'present' and not u.cordoned and u.custom_command
           ) then 'commands_off'
           when p.runtime in ('npm', 'python') and not exists (
               select from unit u where u.membership = 'present' and not u.cordoned and p.runtime = any (u.runtimes)
           ) then 'no_runtime'
           else 'not_claimed'
       end as reason,
       coalesce(p.detail, '') as detail,
       case
           when p.unit_is_gone then p.membership_since
           when p.reported is not null then p.reported_since
           when p.unit_address = '' then greatest(p.address_since, p.updated_at)
           else p.address_since
       end as since,
       p.pid, p.port, p.started_at, p.ready_since, coalesce(p.resolved_version, '') as resolved_version,
       coalesce(p.restarts, 0) as restarts, coalesce(p.failures, 0) as failures, p.next_try_at,
       p.ended_at, p.exit_code, p.exit_signal, p.claim_version, p.unit_address
from program_of_place p;

comment on view program_state is
    'One row per row of deployment, or per unit for those of type daemon: the state of its program, and why. Another unit that still runs one has a row too.';
comment on column program_state.state is 'installing, starting, running, backoff, stopping, parked, stopped, or waiting for a unit.';
comment on column program_state.package_version is 'The wanted version; resolved_version is the one that was installed for it.';

create or replace view endpoint as
select p.deployment_id, d.package_name, p.package_version, u.name as unit, u.host, p.port, p.ready_since,
       p.claim_version, p.unit_address, l.expires_at as lease_expires_at
from program p
join deployment d on d.id = p.deployment_id and d.address_version = p.claim_version
    and (d.type = 'daemon' or d.address = p.unit_address)
join unit u on u.address = p.unit_address and u.membership in ('present', 'draining') and u.supervisor_epoch <= p.epoch
left join lease l on l.address = p.unit_address
where p.state = 'running' and p.port is not null;

comment on view endpoint is
    'Where each ready program that has a port can be reached. NOTIFY nodeunit_endpoint says when it has changed.';
comment on column endpoint.lease_expires_at is 'The unit is known to be alive until then.';
