-- Hints for whom to wake when rows are inserted. Rounds do not use them, so they may be a heartbeat old.

alter table lease
    add column held integer not null default 0,
    add column claimed_since_sample integer not null default 0;

comment on column lease.held is 'About how many rows the unit holds: those that ran at its last heartbeat, and its claims since.';
comment on column lease.claimed_since_sample is 'The number of rows that it has claimed since its last heartbeat.';
