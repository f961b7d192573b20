-- Hints for whom to wake when rows are inserted. Rounds do not use them, so they may be a heartbeat old. They have no
-- default, because functions of 0.1.0 take the row's type; null counts as none.

alter table lease
    add column held integer,
    add column claimed_since_sample integer;

comment on column lease.held is 'About how many rows the unit holds: those that ran at its last heartbeat, and its claims since.';
comment on column lease.claimed_since_sample is 'The number of rows that it has claimed since its last heartbeat.';
