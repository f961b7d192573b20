-- lease.inactive_at replaces lease.quiet_at. The column is not renamed, because a heartbeat that waits for the lock of
-- the table would then use a missing column and fail. Both columns exist until after/0013, when nothing uses the old
-- one.

alter table lease
    add column inactive_at timestamptz,
    alter column quiet_at drop not null;

update lease set inactive_at = quiet_at;

comment on column lease.inactive_at is
    'From this time on, without a heartbeat, the unit takes no part in rounds; it keeps its rows.';
