-- Removes what 0.1.0 had and nothing uses any more: its column, and functions that were renamed when replaced.

drop function if exists heartbeat_0_1_0(text, integer, interval, interval, double precision, double precision, jsonb);
drop function if exists join_unit_0_1_0(text, uuid, interval, interval, jsonb, uuid);
drop function if exists append_operators_word(text, text, jsonb);

-- A unit that joined in between may have only quiet_at.
update lease set inactive_at = quiet_at where inactive_at is null;
alter table lease
    alter column inactive_at set not null,
    drop column quiet_at;
