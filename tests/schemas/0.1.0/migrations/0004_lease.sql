-- What changes every heartbeat and is no event: leases, the newest samples, the counter of wake-ups.

create table lease (
    address text not null,
    epoch integer,
    supervisor uuid not null,
    renewed_at timestamptz not null,
    expires_at timestamptz not null,
    quiet_at timestamptz not null,
    stream_version integer not null default 0,
    cpu_percent double precision,
    memory_mb double precision,

    constraint lease_pkey primary key (address),
    constraint lease_expires_after_it_is_renewed check (expires_at > renewed_at)
) with (fillfactor = 50);

comment on table lease is 'Who is alive, and the fencing of who is not: what a unit writes carries the epoch that stands here.';
comment on column lease.epoch is 'The version of the UnitJoined event in force; null: nobody may write under this address.';
comment on column lease.quiet_at is 'From then on, without a heartbeat, the unit takes no part in rounds; its rows stay with it.';
comment on column lease.stream_version is 'The last version of the stream decision-<address>-<epoch>, which this unit alone writes.';

create table current_usage (
    deployment_id uuid not null,
    claim_version integer not null,
    cpu_percent double precision not null,
    memory_mb double precision not null,
    sampled_at timestamptz not null,

    constraint current_usage_pkey primary key (deployment_id)
) with (fillfactor = 50);

comment on table current_usage is 'The newest sample of each program. A held row without one for its claim is a reservation.';

create table wake_up (
    number bigint generated always as identity,
    sent_at timestamptz not null default clock_timestamp(),

    constraint wake_up_pkey primary key (number)
);

comment on table wake_up is 'Numbers the notifications: a listener that has not heard the newest for a heartbeat is deaf.';

create table fleet (
    only_row boolean not null default true,
    leases_count_from timestamptz not null default '-infinity',

    constraint fleet_pkey primary key (only_row),
    constraint fleet_has_one_row check (only_row)
);

comment on column fleet.leases_count_from is
    'The end of the last silence of all units together (an outage, a restart, a failover): nobody is lost for that.';

insert into fleet default values;
