-- What each unit last reported about each program, and the supervisor of each unit: programs end with their supervisor,
-- and nobody may be left to report it.

create table program (
    deployment_id uuid not null,
    unit_address text not null,
    claim_version integer not null default 0,
    revision integer not null default 0,
    epoch integer not null default 0,
    position bigint not null,
    state text not null,
    reason text not null default '',
    detail text not null default '',
    since timestamptz not null,
    pid integer,
    port integer,
    started_at timestamptz,
    ready_since timestamptz,
    package_version text not null default '',
    restarts integer not null default 0,
    failures integer not null default 0,
    next_try_at timestamptz,
    ended_at timestamptz,
    exit_code integer,
    exit_signal integer,

    constraint program_pkey primary key (deployment_id, unit_address),
    constraint program_state_is_known check (
        state in ('installing', 'starting', 'running', 'backoff', 'stopping', 'parked', 'stopped')
    )
) with (fillfactor = 50);

comment on table program is
    'What a unit last reported about a program; a projection of its process events. The view program_state adds what is known of rows and units.';
comment on column program.claim_version is 'Of the claim that the program runs for; 0: of no claim, or not recorded.';
comment on column program.revision is 'Of the specification that was started last; 0: none was.';
comment on column program.epoch is 'Of the unit, when it reported this.';
comment on column program.position is 'Of the last event that was folded in.';
comment on column program.pid is 'Null: no process runs.';
comment on column program.package_version is 'The version that the wanted one was resolved to.';
comment on column program.restarts is 'Starts after the first, under one claim and revision, since it was last stopped or parked.';
comment on column program.failures is 'Ends in a row that nobody asked for, without a healthy run in between.';
comment on column program.next_try_at is 'When it is started or installed again; null: soon, or not known.';

-- A unit that is lost looks for what others could reach on it.
create index program_with_port on program (unit_address) where port is not null;

alter table unit
    add column supervisor uuid,
    add column supervisor_epoch integer not null default 0;

comment on column unit.supervisor is 'The supervisor of the newest epoch.';
comment on column unit.supervisor_epoch is 'The first epoch of this supervisor; programs of earlier epochs ended with an earlier one.';
