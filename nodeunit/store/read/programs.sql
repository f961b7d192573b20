-- name: program_states
select p.unit, p.unit_address, p.state, p.reason, p.detail, p.since, p.pid, p.port, p.ready_since, p.resolved_version,
       p.restarts, p.failures, p.next_try_at, p.ended_at, p.exit_code, p.exit_signal, p.claim_version
from program_state p
where p.deployment_id = %(deployment_id)s and p.unit is not null
order by p.unit, p.unit_address
