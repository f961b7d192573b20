-- The log is append-only for everybody, owners and superusers included, until they drop the trigger and show it.

create or replace function refuse_to_rewrite_the_log() returns trigger
language plpgsql as $$
begin
    raise exception 'events are append-only: % on % is refused', tg_op, tg_table_name
        using errcode = 'NU005', hint = 'append an event that corrects the state';
end
$$;

create or replace trigger event_is_append_only before update or delete on event
    for each row execute function refuse_to_rewrite_the_log();
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
