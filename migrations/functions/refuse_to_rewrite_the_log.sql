-- The log is append-only for everybody, owners and superusers included, until they drop the trigger and show it.
--
-- One thing alone takes events away: drop_archived_events. Chunks of a hypertable are dropped, which no trigger sees; rows
-- of an ordinary table are deleted, and that is let through where nodeunit.archived_before, which the function sets for
-- its one statement, is the bound of a LogArchived event that this very transaction has appended. The setting alone opens
-- nothing, and what goes is named, with file and checksum, by an event that stays.

create or replace function refuse_to_rewrite_the_log() returns trigger
language plpgsql as $$
declare
    -- Chunks have names of their own: this is the ordinary table.
    v_archived_before timestamptz := case when tg_op = 'DELETE' and tg_table_name = 'event' then
        nullif(current_setting('nodeunit.archived_before', true), '') end;
begin
    if v_archived_before is not null then
        if tg_level = 'ROW' then
            if old.recorded_at < v_archived_before then
                return old;
            end if;
        else
            -- Once for all rows, before the first.
            perform from event e
            where e.stream_id = 'log' and e.type = 'LogArchived' and e.transaction_id = pg_current_xact_id()
              and (e.data ->> 'before')::timestamptz = v_archived_before;
            if found then
                return null;
            end if;
        end if;
    end if;
    raise exception 'events are append-only: % on % is refused', tg_op, tg_table_name
        using errcode = 'NU005', hint = 'append an event that corrects the state';
end
$$;

create or replace trigger event_is_append_only before update or delete on event
    for each row execute function refuse_to_rewrite_the_log();
create or replace trigger event_is_deleted_only_when_archived before delete on event
    for each statement execute function refuse_to_rewrite_the_log();
create or replace trigger event_is_not_truncated before truncate on event
    for each statement execute function refuse_to_rewrite_the_log();
create or replace trigger assignment_order_is_append_only before update or delete on assignment_order
    for each row execute function refuse_to_rewrite_the_log();
create or replace trigger membership_order_is_append_only before update or delete on membership_order
    for each row execute function refuse_to_rewrite_the_log();
create or replace trigger assignment_order_is_not_truncated before truncate on assignment_order
    for each statement execute function refuse_to_rewrite_the_log();
create or replace trigger membership_order_is_not_truncated before truncate on membership_order
    for each statement execute function refuse_to_rewrite_the_log();
