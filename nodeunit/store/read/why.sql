-- The circumstances of one deployment up to a time, each found by an index, newest first. Times limit the chunks
-- opened.

-- name: why_assignments
-- Ordered by version, because a clock that was set back gives later events earlier times.
select {event_columns}
from event e
where e.stream_id = 'assignment-' || %(deployment_id)s::text
  and e.recorded_at <= coalesce(%(at)s::timestamptz, 'infinity')
order by e.stream_version desc
limit 2

-- name: why_specifications
select {event_columns}
from event e
where e.deployment_id = %(deployment_id)s
  and e.stream_id like 'deployment-%%'
  and e.recorded_at <= coalesce(%(at)s::timestamptz, 'infinity')
order by e.stream_version desc

-- name: why_round_of_claim
-- The inputs are in the transaction of the claim, right before it.
select {event_columns}
from event e
where e.type = 'DeploymentClaimRound'
  and e.unit_address = %(claimant)s
  and e.transaction_id = %(transaction_id)s::text::xid8
  and e.recorded_at <= %(claimed_at)s
  and e.recorded_at > %(claimed_at)s - interval '1 hour'
order by e.recorded_at desc
limit 1

-- name: why_rounds
-- The newest round of each of these units since the row became free.
select r.*
from unnest(%(addresses)s::text[]) as u (address)
cross join lateral (
    select {event_columns}
    from event e
    where e.type = 'DeploymentClaimRound'
      and e.unit_address = u.address
      and e.recorded_at >= %(since)s
      and e.recorded_at <= coalesce(%(at)s::timestamptz, 'infinity')
    order by e.recorded_at desc
    limit 1
) r
order by r.recorded_at desc

-- name: why_programs
select {event_columns}
from event e
where e.deployment_id = %(deployment_id)s
  and e.type in ('ProcessStarted', 'ProcessExited', 'ProcessNotEnded', 'ProcessParked')
  and e.recorded_at >= %(since)s
  and e.recorded_at <= coalesce(%(at)s::timestamptz, 'infinity')
order by e.recorded_at desc
limit 20

-- name: plan_inputs
select r.units, r.candidates from round_inputs('{}', '{}', %(limit)s) as r
