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
  and e.position < %(position)s
order by e.position desc
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
-- Under one claim of one unit. Before 0.2 only ProcessStarted had the version of the claim. By position, because events
-- that are appended together may have one time.
select {event_columns}
from event e
where e.deployment_id = %(deployment_id)s
  and e.type in ('ProcessStarted', 'ProcessExited', 'ProcessNotEnded', 'ProcessParked')
  and e.unit_address = %(holder)s
  and coalesce((e.data ->> 'claim_version')::integer, 0) in (0, %(version)s)
  and e.recorded_at >= %(since)s
  and e.recorded_at <= coalesce(%(at)s::timestamptz, 'infinity')
order by e.recorded_at desc, e.position desc
limit 20

-- name: why_unit_snapshot
select {event_columns}
from event e
where e.stream_id = 'unit-' || %(address)s
  and e.type in ('UnitSnapshot', 'UnitCarried')
  and e.recorded_at <= coalesce(%(at)s::timestamptz, 'infinity')
order by e.stream_version desc
limit 1

-- name: why_membership_after
select {event_columns}
from event e
where e.stream_id = 'unit-' || %(address)s
  and e.stream_version = %(version)s + 1
  and e.recorded_at > %(at)s

-- name: why_unusable
select {event_columns}
from event e
where e.deployment_id = %(deployment_id)s
  and e.type = 'DeploymentUnusable'
  and e.recorded_at >= %(since)s
  and e.recorded_at <= coalesce(%(at)s::timestamptz, 'infinity')
order by e.recorded_at desc
limit 1

-- name: why_silence
-- No row for a unit of which no heartbeat is overdue. One that wants no part in rounds sets inactive_at to renewed_at.
select l.renewed_at as since, l.expires_at, l.expires_at <= clock_timestamp() as expired
from lease l
where l.address = %(address)s
  and (
      l.renewed_at + (l.expires_at - l.renewed_at) / 2 <= clock_timestamp()
      or (l.inactive_at <= clock_timestamp() and l.inactive_at > l.renewed_at)
  )

-- name: plan_inputs
select r.units, r.candidates from inputs_of_round('{}', %(limit)s) as r
