-- What stays of usage samples when they go: one row an hour, a unit, a program.

create table usage_hourly (
    hour timestamptz not null,
    unit_address text not null,
    deployment_id uuid,
    samples bigint not null,
    cpu_percent_avg double precision not null,
    cpu_percent_max double precision not null,
    memory_mb_avg double precision not null,
    memory_mb_max double precision not null,

    constraint usage_hourly_has_one_row_an_hour unique nulls not distinct (unit_address, deployment_id, hour),
    constraint usage_hourly_begins_at_the_hour check (date_trunc('hour', hour, 'UTC') = hour),
    constraint usage_hourly_stands_for_samples check (samples > 0)
);

comment on table usage_hourly is 'Usage samples that were rolled up and dropped. Newer ones are in usage.';
comment on column usage_hourly.deployment_id is 'Null: the whole unit, its own processes and all its programs.';
comment on column usage_hourly.cpu_percent_avg is 'Of the whole machine: all cores busy is 100.';
comment on column usage_hourly.memory_mb_avg is 'Resident memory, MiB.';

create index usage_hourly_by_hour on usage_hourly (hour);
create index usage_hourly_by_deployment on usage_hourly (deployment_id, hour) where deployment_id is not null;
