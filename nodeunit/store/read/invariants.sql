-- What must be true of every log, one statement per rule: how often it is violated, and three places where it is. They
-- read the whole log in one snapshot: 1,000,000 events take some seconds. In an archived log they read what remains: a
-- ...Snapshot event has the version and the position of the last event that it replaces, and the state after it.

-- name: invariant_claimed_only_what_was_free
-- Each claim comes first in its stream or right after a release; the ordering table, with its constraints, agrees.
with assigned as (
    select e.deployment_id, e.stream_version, e.type, coalesce(e.data ->> 'claimant', e.data ->> 'holder') as holder,
           lag(e.type <> 'DeploymentReleased' and e.data ->> 'holder' is distinct from '')
               over (partition by e.deployment_id order by e.stream_version, e.position) as held_before
    from event e
    where e.type in ('DeploymentClaimed', 'DeploymentAssigned', 'DeploymentReleased', 'AssignmentSnapshot', 'AssignmentCarried')
)
select count(*) as violations,
       (array_agg(format('%s v%s by %s', a.deployment_id, a.stream_version, a.holder)))[:3] as examples
from assigned a
left join assignment_order o on o.deployment_id = a.deployment_id and o.version = a.stream_version
where a.type in ('DeploymentClaimed', 'DeploymentAssigned')
  and (
      a.held_before
      or (o.previous_assignment, o.holder) is distinct from ('free', a.holder)
  )

-- name: invariant_one_claim_a_round
-- A transaction may have several rounds. The claim of each follows its events, before those of the next one.
select count(*) as violations,
       (array_agg(format('transaction %s: %s and %s', r.transaction_id, r.before, r.deployment_id)))[:3] as examples
from (
    select e.transaction_id, e.type, e.deployment_id, lag(e.type) over following as previous,
           lag(e.deployment_id) over following as before
    from event e
    where e.type in ('DeploymentClaimed', 'DeploymentClaimAttempt')
    window following as (partition by e.transaction_id order by e.position)
) r
where r.type = 'DeploymentClaimed' and r.previous = 'DeploymentClaimed'

-- name: invariant_nothing_from_online_units
-- A row is taken from its holder only while the holder's last membership event is UnitLost or UnitLeft. A row counts as
-- taken if it is released as lost, or claimed in the same transaction as its release, whatever the release says.
with membership as materialized (
    select e.unit_address, e.position as from_position,
           e.type in ('UnitLeft', 'UnitLost')
               or e.type in ('UnitSnapshot', 'UnitCarried') and e.data ->> 'membership' in ('left', 'lost') as absent,
           lead(e.position) over (partition by e.unit_address order by e.stream_version, e.position) as to_position
    from event e
    where e.type in ('UnitJoined', 'UnitLeft', 'UnitLost', 'UnitSnapshot', 'UnitCarried')
), assignment as (
    select e.position, e.deployment_id, e.stream_version, e.type, e.data, e.transaction_id,
           lead(e.type) over following as next_type,
           lead(e.transaction_id) over following as next_transaction_id
    from event e
    where e.type in ('DeploymentClaimed', 'DeploymentAssigned', 'DeploymentReleased')
    window following as (partition by e.deployment_id order by e.stream_version, e.position)
), taken as (
    select a.position, a.deployment_id, a.stream_version, a.data ->> 'holder' as holder
    from assignment a
    where a.type = 'DeploymentReleased'
      and (
          a.data ->> 'reason' = 'unit_lost'
          or (a.next_type = 'DeploymentClaimed' and a.next_transaction_id = a.transaction_id)
      )
)
select count(*) as violations,
       (array_agg(format('%s v%s from %s', t.deployment_id, t.stream_version, t.holder)))[:3] as examples
from taken t
left join membership m
    on m.unit_address = t.holder
    and t.position > m.from_position
    and (m.to_position is null or t.position < m.to_position)
where m.absent is not true

-- name: invariant_claimed_only_by_members
-- A unit that was declared lost, or left, claims nothing until it has joined again.
with membership as materialized (
    select e.unit_address, e.position as from_position,
           e.type in ('UnitLeft', 'UnitLost')
               or e.type in ('UnitSnapshot', 'UnitCarried') and e.data ->> 'membership' in ('left', 'lost') as absent,
           lead(e.position) over (partition by e.unit_address order by e.stream_version, e.position) as to_position
    from event e
    where e.type in ('UnitJoined', 'UnitLeft', 'UnitLost', 'UnitSnapshot', 'UnitCarried')
)
select count(*) as violations,
       (array_agg(format('%s v%s by %s', c.deployment_id, c.stream_version, c.data ->> 'claimant')))[:3] as examples
from event c
left join membership m
    on m.unit_address = c.data ->> 'claimant'
    and c.position > m.from_position
    and (m.to_position is null or c.position < m.to_position)
where c.type = 'DeploymentClaimed'
  and (m.absent is not false or c.unit_address <> c.data ->> 'claimant')

-- name: invariant_versions_without_gap_or_double
-- Every stream counts 1, 2, 3, …, or continues from a ...Snapshot event, from a LogArchived that lists those before it,
-- or from the DeploymentCreated of a row whose id came back after its first life was archived. Each event that does not
-- follow its predecessor is counted.
select count(*) as violations,
       (array_agg(format('%s: %s after %s', v.stream_id, v.stream_version, v.before)))[:3] as examples
from (
    select e.stream_id, e.stream_version, e.type,
           lag(e.stream_version, 1, 0) over (partition by e.stream_id order by e.stream_version) as before
    from event e
) v
where v.stream_version <> v.before + 1
  and not (v.before = 0 and (v.type ~ '(Snapshot|Carried)$' or v.type in ('LogArchived', 'DeploymentCreated')))

-- name: invariant_order_matches_log
-- Every row of the two ordering tables has its event, and every such event its row. What is older than a stream's
-- ...Snapshot event is archived, and so are all events of a deleted row, once anything is archived.
with logged as (
    select e.stream_id, e.stream_version as version,
           case
               when e.type like 'Deployment%' then case e.type when 'DeploymentReleased' then 'free' else 'held' end
               when e.type in ('AssignmentSnapshot', 'AssignmentCarried') then case e.data ->> 'holder' when '' then 'free' else 'held' end
               when e.type in ('UnitLeft', 'UnitLost') then 'absent'
               when e.type in ('UnitSnapshot', 'UnitCarried') and e.data ->> 'membership' in ('left', 'lost') then 'absent'
               else 'present'
           end as state,
           case
               when e.type = 'DeploymentClaimed' then e.data ->> 'claimant'
               when e.type in ('DeploymentAssigned', 'AssignmentSnapshot', 'AssignmentCarried') then e.data ->> 'holder'
               else ''
           end as holder
    from event e
    where e.stream_id like 'assignment-%' or e.stream_id like 'unit-%'
), snapshot as (
    select e.stream_id, e.stream_version as version
    from event e
    where e.type in ('AssignmentSnapshot', 'AssignmentCarried', 'UnitSnapshot', 'UnitCarried')
), ordered as (
    select 'assignment-' || o.deployment_id as stream_id, o.version, o.assignment as state, o.holder
    from assignment_order o
    where o.version > 0
      and (
          not exists (select from event e where e.type = 'LogArchived')
          -- Only its own streams, because late events of units about a deleted row do not restore it.
          or o.deployment_id in (
              select e.deployment_id from event e
              where e.stream_id like 'deployment-%' or e.stream_id like 'assignment-%'
          )
      )
    union all
    select 'unit-' || o.address, o.version, o.membership, ''
    from membership_order o
)
select count(*) as violations,
       (array_agg(format('%s v%s', coalesce(o.stream_id, l.stream_id), coalesce(o.version, l.version))))[:3] as examples
from ordered o
full join logged l on l.stream_id = o.stream_id and l.version = o.version
left join snapshot c on c.stream_id = o.stream_id and c.version > o.version
where (o.state, o.holder) is distinct from (l.state, l.holder)
  and c.version is null

-- name: invariant_claims_follow_their_round
-- In the transaction of each claim, its unit appended two consecutive events: its eligibility and the attempt.
select count(*) as violations,
       (array_agg(format('%s v%s by %s', c.deployment_id, c.stream_version, c.unit_address)))[:3] as examples
from event c
where c.type = 'DeploymentClaimed'
  and not exists (
      select
      from event a
      join event e
          on e.transaction_id = a.transaction_id
          and e.stream_id = a.stream_id
          and e.stream_version = a.stream_version - 1
          and e.type = 'DeploymentClaimEligibility'
          and e.data -> 'eligible' = 'true'
      where a.type = 'DeploymentClaimAttempt'
        and a.transaction_id = c.transaction_id
        and a.deployment_id = c.deployment_id
        and a.unit_address = c.unit_address
        and a.stream_id like 'decision-%'
        and a.position < c.position
  )

-- name: invariant_deployment_address_is_the_fold
select count(*) as violations,
       (array_agg(format('%s: live %s, folded %s', d.key, d.live, d.folded)))[:3] as examples
from deployment_address_differences() d

-- name: invariant_unit_is_the_fold
select count(*) as violations,
       (array_agg(format('%s: live %s, folded %s', u.key, u.live, u.folded)))[:3] as examples
from unit_differences() u

-- name: invariant_held_rows_run_or_say_why
-- A row that a unit with a good lease has held for longer than its lease and ten seconds runs there, as the samples of
-- its program show, or the log says why not: the program is parked, is being installed, has ended and waits up to five
-- minutes for its restart, or has ended for good by its restart policy. Only the present state can be checked. Another
-- rule covers silent units and their rows.
with held as (
    select d.id, d.address, d.address_since, d.restart, now() - (l.expires_at - l.renewed_at) - interval '10 seconds' as since
    from deployment d
    join lease l on l.address = d.address and l.epoch is not null and l.expires_at > now()
    join unit u on u.address = d.address
    cross join fleet f
    where d.enabled and d.type = 'deployment'
      and greatest(d.address_since, d.updated_at, u.since, f.leases_count_from)
          < now() - (l.expires_at - l.renewed_at) - interval '10 seconds'
)
select count(*) as violations,
       (array_agg(format('%s by %s: %s', h.id, h.address, coalesce(p.type, 'no word of it'))))[:3] as examples
from held h
left join lateral (
    select e.type, e.recorded_at, e.data ->> 'reason' as reason, e.data ->> 'exit_code' as exit_code,
           coalesce(e.data ->> 'reason', '') not in ('stopped', 'lease_expired', 'unit_ended', 'supervisor_died') as unasked
    from event e
    where e.deployment_id = h.id and e.unit_address = h.address and e.recorded_at >= h.address_since
      and e.type in ('ProcessStarted', 'ProcessExited', 'ProcessNotEnded', 'ProcessParked', 'ProgramInstalling',
                     'ProgramInstallFailed')
    order by e.recorded_at desc, e.position desc
    limit 1
) p on true
where not exists (
        select from usage s
        where s.deployment_id = h.id and s.unit_address = h.address and s.recorded_at >= h.since
    )
  and coalesce(p.type, '') not in ('ProcessNotEnded', 'ProcessParked', 'ProgramInstalling', 'ProgramInstallFailed')
  and not coalesce(
        p.type = 'ProcessExited'
        and p.recorded_at >= h.since - case when p.unasked then interval '5 minutes' else interval '0' end,
        false
    )
  and not coalesce(
        p.type = 'ProcessExited' and p.unasked and p.reason <> 'spawn_failed'
        and (h.restart = 'never' or h.restart = 'on_failure' and p.reason = 'exited' and p.exit_code = '0'),
        false
    )
  and not exists (
        select from event c
        where c.type in ('UnitSnapshot', 'UnitCarried') and c.unit_address = h.address and c.data -> 'parked' ? h.id::text
    )
