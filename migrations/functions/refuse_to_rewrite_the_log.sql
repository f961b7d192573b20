-- A trigger function: the log is append-only for all users, including owners and superusers, unless they drop the
-- trigger.
--
-- Only drop_archived_events removes events. It drops chunks of a hypertable, which fires no trigger, and deletes rows
-- of an ordinary table. The deletion is allowed when nodeunit.archived_before, which the function sets for that one
-- statement, is the bound of a LogArchived event that this same transaction has appended. The setting alone permits
-- nothing, and a remaining event names the removed events, with file and checksum.

create or replace function refuse_to_rewrite_the_log() returns trigger
language plpgsql as $$
declare
    -- Chunks have other names, so this is the ordinary table.
    v_archived_before timestamptz := case when tg_op = 'DELETE' and tg_table_name = 'event' then
        nullif(current_setting('nodeunit.archived_before', true), '') end;
begin
    if v_archived_before is not null then
        if tg_level = 'ROW' then
            if old.recorded_at < v_archived_before then
                return old;
            end if;
        else
            -- Checked once, before the first row.
            perform from event e
            where e.stream_id = 'log' and e.type = 'LogArchived' and e.transaction_id = (select log_transaction_id())
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
