-- program: what each unit last reported about each program, folded from the process events of its decision streams. One
-- unit writes these, one append at a time, so positions give their order. Whether the unit is still there, and whether
-- the row is still its own, are not in the fold: the view program_state adds them.

create or replace function fold_program(p_program program, p_event event) returns program
language plpgsql immutable parallel safe as $$
declare
    v_data jsonb := p_event.data;
    v_claim_version integer := nullif((v_data ->> 'claim_version')::integer, 0);
    v_state text := p_program.state;
    v_in_loop boolean;
    v_fails boolean;
begin
    -- Not an event of the log, but one of the rows that a snapshot of the unit has: all by the archived events.
    if p_event.type = 'ProgramState' then
        return jsonb_populate_record(null::program, v_data);
    end if;
    if v_claim_version < p_program.claim_version then
        return p_program;  -- what is left of an earlier claim
    end if;
    if p_event.type in ('ProcessReady', 'ProcessStopping', 'ProcessNotEnded') then
        if p_program.state is not null and p_program.pid is distinct from (v_data ->> 'pid')::integer then
            return p_program;  -- its process has ended meanwhile
        end if;
    end if;

    -- What was counted ends with the claim, the specification, and any state that needs a new decision to go on.
    if p_program.state is null or v_claim_version > p_program.claim_version or p_program.state in ('stopped', 'parked')
        or (p_event.type = 'ProcessStarted' and (v_data ->> 'revision')::integer <> p_program.revision and p_program.revision > 0)
    then
        p_program := row(
            p_event.deployment_id, p_event.unit_address, coalesce(v_claim_version, 0), 0, 0, 0, null, '', '', null,
            null, null, null, null, '', 0, 0, null, null, null, null
        );
        v_state := null;
    end if;
    p_program.position := p_event.position;
    p_program.epoch := coalesce(substring(p_event.stream_id from '-([0-9]+)$')::integer, 0);
    v_in_loop := p_program.reason = 'crash_loop';

    case p_event.type
        when 'ProcessStarted' then
            if p_program.revision > 0 then
                p_program.restarts := p_program.restarts + 1;
            end if;
            p_program.revision := coalesce((v_data ->> 'revision')::integer, 0);
            p_program.pid := v_data ->> 'pid';
            p_program.port := nullif((v_data ->> 'port')::integer, 0);
            p_program.package_version := coalesce(nullif(v_data ->> 'package_version', ''), p_program.package_version);
            p_program.started_at := p_event.recorded_at;
            p_program.next_try_at := null;
            if not v_in_loop then
                p_program.reason := '';
                p_program.detail := '';
            end if;
            if (v_data ->> 'awaits_check')::boolean then
                p_program.state := 'starting';
                p_program.ready_since := null;
            else
                p_program.state := 'running';
                p_program.ready_since := p_event.recorded_at;
            end if;
        when 'ProcessReady' then
            p_program.pid := v_data ->> 'pid';
            p_program.state := case when p_program.state = 'stopping' then 'stopping' else 'running' end;
            p_program.ready_since := coalesce(p_program.ready_since, p_event.recorded_at);
        when 'ProcessStopping', 'ProcessNotEnded' then
            p_program.pid := v_data ->> 'pid';
            p_program.state := 'stopping';
            p_program.reason := coalesce(v_data ->> 'reason', 'not_ended');
            p_program.detail := coalesce(v_data ->> 'detail', '');
        when 'ProcessExited' then
            v_fails := coalesce(v_data ->> 'reason', '') not in ('stopped', 'lease_expired', 'unit_ended', 'supervisor_died');
            -- As RestartRule: a run of a minute was healthy, and earlier failures are forgotten.
            if not v_fails or (v_data ->> 'ran_s')::double precision >= 60 and v_data ->> 'reason' <> 'startup_timeout' then
                p_program.failures := 0;
                v_in_loop := false;
            end if;
            p_program.failures := p_program.failures + v_fails::integer;
            p_program.state := case when v_fails then 'backoff' else 'stopped' end;
            p_program.reason := case when v_in_loop then 'crash_loop' else coalesce(v_data ->> 'reason', '') end;
            p_program.detail := coalesce(v_data ->> 'detail', '');
            p_program.exit_code := v_data ->> 'exit_code';
            p_program.exit_signal := v_data ->> 'signal';
            p_program.ended_at := p_event.recorded_at;
        when 'ProcessCrashLooping' then
            p_program.state := 'backoff';
            p_program.reason := 'crash_loop';
            p_program.detail := coalesce(v_data -> 'last_lines' ->> -1, '');
            p_program.failures := coalesce((v_data ->> 'failures')::integer, p_program.failures);
            p_program.exit_code := v_data ->> 'exit_code';
            p_program.exit_signal := v_data ->> 'signal';
            p_program.next_try_at := p_event.recorded_at + make_interval(secs => (v_data ->> 'retry_s')::double precision);
        when 'ProcessParked' then
            p_program.claim_version := coalesce(v_claim_version, 0);  -- not recorded before 0.2
            p_program.state := 'parked';
            p_program.reason := coalesce(v_data ->> 'reason', '');
            p_program.detail := coalesce(v_data ->> 'detail', '');
            p_program.next_try_at := null;
        else
            p_program := fold_install(p_program, p_event);
    end case;

    if p_program.state not in ('starting', 'running', 'stopping') then
        p_program.pid := null;
        p_program.port := null;
        p_program.ready_since := null;
    end if;
    if p_program.state is distinct from v_state or p_event.type = 'ProcessStarted' then
        p_program.since := p_event.recorded_at;
    end if;
    return p_program;
end
$$;

-- The events of an install. While the program of the earlier version still runs, its state stays, and the reason says
-- what becomes of the update.
create or replace function fold_install(p_program program, p_event event) returns program
language plpgsql immutable parallel safe as $$
declare
    v_retry_s double precision := p_event.data ->> 'retry_s';
begin
    p_program.next_try_at := null;
    case p_event.type
        when 'ProgramInstalling' then
            p_program.reason := case when p_program.pid is null then '' else 'installing_update' end;
            p_program.detail := concat_ws('@', p_event.data ->> 'package_name', nullif(p_event.data ->> 'package_version', ''));
            p_program.state := case when p_program.pid is null then 'installing' else p_program.state end;
        when 'ProgramInstalled' then
            p_program.reason := '';
            p_program.detail := '';
            p_program.package_version := coalesce(nullif(p_event.data ->> 'package_version', ''), p_program.package_version);
            p_program.state := case when p_program.pid is null then 'starting' else p_program.state end;
        when 'ProgramInstallFailed' then
            p_program.reason := coalesce(p_event.data ->> 'reason', '');
            p_program.detail := coalesce(p_event.data ->> 'detail', '');
            p_program.next_try_at := p_event.recorded_at + make_interval(secs => v_retry_s);
            p_program.state := case when p_program.pid is not null then p_program.state
                when v_retry_s is null then 'parked' else 'backoff' end;
    end case;
    return p_program;
end
$$;

-- One step of the fold of events, in order, into p_before, which may be null. What ended of a row that was deleted has no
-- state: nothing is kept of it.
create or replace function fold_program_after(p_program program, p_before program, p_event event, p_deleted boolean)
returns program
language plpgsql immutable parallel safe as $$
begin
    p_program := fold_program(coalesce(p_program, p_before), p_event);
    if p_deleted and p_program.pid is null then
        p_program.state := null;
        p_program.claim_version := null;
    end if;
    return p_program;
end
$$;

create or replace aggregate program_after (program, event, boolean) (sfunc = fold_program_after, stype = program);

create or replace function is_process_event(p_type text) returns boolean
language sql immutable parallel safe
return p_type in (
    'ProcessStarted', 'ProcessReady', 'ProcessStopping', 'ProcessNotEnded', 'ProcessExited', 'ProcessCrashLooping',
    'ProcessParked', 'ProgramInstalling', 'ProgramInstalled', 'ProgramInstallFailed'
);

-- What others could reach of a program; null: nothing. They are notified when it changes.
create or replace function program_endpoint(p_program program) returns text
language sql immutable parallel safe
as $$ select case when p_program.state = 'running' and p_program.port is not null
    then concat_ws(' ', p_program.port, p_program.pid, p_program.claim_version, p_program.ready_since) end $$;

-- The fold of the log before a time. Snapshots of 0.1.0 and of the first form of UnitSnapshot have the running and the
-- parked programs, not their states.
create or replace function program_folded(p_before timestamptz default 'infinity') returns setof program
language sql stable
as $$
    with life as materialized (
        select m.deployment_id, case when m.type = 'DeploymentCreated' then m.position else 0 end as begins, m.type,
               lead(m.position, 1, 9223372036854775807) over (partition by m.deployment_id order by m.stream_version) as ends
        from event m
        where m.stream_id like 'deployment-%' and m.recorded_at < p_before
          and m.type in ('DeploymentCreated', 'DeploymentSnapshot', 'DeploymentCarried', 'DeploymentDeleted')
    ), told as (
        select e.deployment_id, e.unit_address, e.position, e.*::event as event, l.deployment_id is null as deleted
        from event e
        left join life l on l.deployment_id = e.deployment_id and l.type <> 'DeploymentDeleted'
            and e.position > l.begins and e.position < l.ends
        where is_process_event(e.type) and e.deployment_id is not null and e.recorded_at < p_before
        union all
        select (s.data ->> 'deployment_id')::uuid, e.unit_address, 0, row(
            (s.data ->> 'position')::bigint, e.recorded_at, e.transaction_id, e.event_id, e.stream_id, e.stream_version,
            'ProgramState', (s.data ->> 'deployment_id')::uuid, e.unit_address, e.schema_version, s.data
        )::event, false
        from event e
        cross join jsonb_array_elements(e.data -> 'states') as s (data)
        where e.type in ('UnitSnapshot', 'UnitCarried') and e.recorded_at < p_before
        union all
        select p.deployment_id, e.unit_address, 0, row(
            e.position, p.since, e.transaction_id, e.event_id, 'decision-' || e.unit_address || '-' || (e.data ->> 'epoch'),
            e.stream_version, p.type, p.deployment_id, e.unit_address, e.schema_version, p.data
        )::event, false
        from event e
        cross join lateral (
            select (r.data ->> 'deployment_id')::uuid, 'ProcessStarted', (r.data ->> 'since')::timestamptz, r.data
            from jsonb_array_elements(e.data -> 'programs') as r (data)
            union all
            select k.deployment_id::uuid, 'ProcessParked', e.recorded_at,
                   jsonb_build_object('reason', 'archived', 'detail', 'the reason is archived')
            from jsonb_array_elements_text(e.data -> 'parked') as k (deployment_id)
        ) as p (deployment_id, type, since, data)
        where e.type in ('UnitSnapshot', 'UnitCarried') and not e.data ? 'states' and e.recorded_at < p_before
    )
    select (folded.p).*
    from (
        select program_after(null::program, t.event, t.deleted order by t.position) as p
        from told t
        group by t.deployment_id, t.unit_address
    ) folded
    where (folded.p).state is not null
$$;

-- Whether the projection must have a row: the program is the one that its row wants, or a process of it runs. Others are
-- left of what was moved or deleted, and are removed at any time.
create or replace function program_counts(p_program program) returns boolean
language sql stable
as $$
    select exists (
        select from deployment d
        left join unit u on u.address = p_program.unit_address
        where d.id = p_program.deployment_id
          and (
              (p_program.claim_version = d.address_version or p_program.claim_version = 0 and p_program.since >= d.address_since)
              and (d.type = 'daemon' or d.address = p_program.unit_address)
              or p_program.pid is not null and u.membership in ('present', 'draining') and p_program.epoch >= u.supervisor_epoch
          )
    )
$$;

-- A program that was stopped and one of which nothing is recorded are the same.
create or replace function program_differences()
returns table (key text, live text, folded text)
language sql stable
as $$
    select coalesce(p.deployment_id, f.deployment_id) || ' ' || coalesce(p.unit_address, f.unit_address), p::text, f::text
    from program p
    full join program_folded() f on f.deployment_id = p.deployment_id and f.unit_address = p.unit_address
    where p is distinct from f
      and coalesce(p.state, 'stopped') || coalesce(f.state, 'stopped') <> 'stoppedstopped'
      and (program_counts(p) or program_counts(f))
$$;

-- Sets the live rows to the fold. A row into which more was folded meanwhile is kept.
create or replace function program_rebuild() returns bigint
language plpgsql as $$
declare
    v_changed bigint;
begin
    with folded as materialized (
        -- A program that runs on goes on to be told of, also if its row was deleted: the id may come back.
        select f.* from program_folded() f where program_counts(f) or f.pid is not null
    ), live as materialized (
        select p.deployment_id, p.unit_address, p.position from program p where program_counts(p)
    ), removed as (
        delete from program p
        using live l
        where (p.deployment_id, p.unit_address, p.position) = (l.deployment_id, l.unit_address, l.position)
          and not exists (
              select from folded f where f.deployment_id = l.deployment_id and f.unit_address = l.unit_address
          )
        returning 1
    ), changed as (
        insert into program as p
        select f.* from folded f order by f.deployment_id, f.unit_address
        on conflict on constraint program_pkey do update set
            (claim_version, revision, epoch, position, state, reason, detail, since, pid, port, started_at, ready_since,
             package_version, restarts, failures, next_try_at, ended_at, exit_code, exit_signal) =
            (excluded.claim_version, excluded.revision, excluded.epoch, excluded.position, excluded.state,
             excluded.reason, excluded.detail, excluded.since, excluded.pid, excluded.port, excluded.started_at,
             excluded.ready_since, excluded.package_version, excluded.restarts, excluded.failures,
             excluded.next_try_at, excluded.ended_at, excluded.exit_code, excluded.exit_signal)
        where p.position <= excluded.position and p is distinct from excluded
        returning 1
    )
    select (select count(*) from removed) + (select count(*) from changed) into v_changed;
    return v_changed;
end
$$;
