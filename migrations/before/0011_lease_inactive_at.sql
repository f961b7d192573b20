-- lease.quiet_at becomes lease.inactive_at. Not by renaming it: a heartbeat that has begun and waits for the lock of the
-- table would go on with a column that is gone, and fail. So both are there until after/0013, when nobody uses the old one.

alter table lease
    add column inactive_at timestamptz,
    alter column quiet_at drop not null;

update lease set inactive_at = quiet_at;

comment on column lease.inactive_at is
    'From then on, without a heartbeat, the unit takes no part in rounds; its rows stay with it.';
