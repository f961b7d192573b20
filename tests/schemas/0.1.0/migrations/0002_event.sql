-- The event log and the usage samples. Hypertables where TimescaleDB is there, ordinary tables where it is not.

create table event (
    position bigint generated always as identity,
    recorded_at timestamptz not null default clock_timestamp(),
    transaction_id xid8 not null default pg_current_xact_id(),
    event_id uuid not null default gen_random_uuid(),
    stream_id text not null,
    stream_version integer not null,
    type text not null,
    deployment_id uuid,
    unit_address text not null default '',
    schema_version smallint not null default 1,
    data jsonb not null default '{}',

    constraint event_stream_version_is_positive check (stream_version > 0)
);

comment on table event is 'Everything that anyone decided, in order. Append-only.';
comment on column event.position is 'Taken in one order, committed in another: followers order by (transaction_id, position).';
comment on column event.event_id is 'Made by the writer, so that an append whose commit is unknown can be looked up.';
comment on column event.unit_address is 'The unit that wrote it or that it concerns; empty for what people did.';

create table usage (
    recorded_at timestamptz not null default clock_timestamp(),
    unit_address text not null,
    deployment_id uuid,
    cpu_percent double precision not null,
    memory_mb double precision not null
);

comment on table usage is 'What units and their programs use, a sample a heartbeat. Not events: not durable to the last second.';
comment on column usage.deployment_id is 'Null: the whole unit, its own processes and all its programs.';
comment on column usage.cpu_percent is 'Of the whole machine: all cores busy is 100.';
comment on column usage.memory_mb is 'Resident memory, MiB.';

do $$
begin
    if not exists (select from pg_available_extensions where name = 'timescaledb')
        or current_setting('shared_preload_libraries') not like '%timescaledb%'
    then
        raise notice 'TimescaleDB is not there: event and usage are ordinary tables';
        create index on event (recorded_at desc);
        create index on usage (recorded_at desc);
        return;
    end if;
    create extension if not exists timescaledb;
    perform create_hypertable('event', by_range('recorded_at', interval '1 day'));
    perform create_hypertable('usage', by_range('recorded_at', interval '1 day'));
end
$$;

create index event_in_commit_order on event (transaction_id, position);
create index event_by_id on event (event_id);
create index event_by_deployment on event (deployment_id, recorded_at) where deployment_id is not null;
create index event_by_stream on event (stream_id, stream_version);
create index usage_by_unit on usage (unit_address, recorded_at desc) where deployment_id is null;
create index usage_by_deployment on usage (deployment_id, recorded_at desc) where deployment_id is not null;
