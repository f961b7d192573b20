-- A trigger function: the log is append-only for all users, including owners and superusers, unless they drop the
-- trigger.
--
-- Only drop_archived_events removes events. It drops chunks of a hypertable, which fires no trigger, and deletes rows
-- of an ordinary table. That is allowed for rows before the bound of a LogArchived event that this same transaction has
-- appended, so that a remaining event names the removed events, with file and checksum. No setting of the session is
-- asked, and the search path is fixed, because a caller's own table event is not the log.

create or replace function refuse_to_rewrite_the_log() returns trigger
language plpgsql set search_path from current as $$
declare
    v_newest event;
begin
    -- Chunks of a hypertable are other tables.
    if tg_op = 'DELETE' and tg_relid = 'event'::regclass then
        select * into v_newest from event e where e.stream_id = 'log' order by e.stream_version desc limit 1;
        if v_newest.type = 'LogArchived' and v_newest.transaction_id = log_transaction_id() then
            if tg_level = 'STATEMENT' then
                return null;
            elsif old.recorded_at < (v_newest.data ->> 'before')::timestamptz then
                return old;
            end if;
        end if;
    end if;
    raise exception 'events are append-only: % on % is refused', tg_op, tg_table_name
        using errcode = 'NU005', hint = 'append an event that corrects the state';
end
$$;
