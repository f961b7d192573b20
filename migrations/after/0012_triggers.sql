-- The triggers of the tables. Each function says what it does; making a trigger locks its table.

create or replace trigger deployment_delete_is_recorded after delete on deployment
    referencing old table as old_row for each statement execute function record_deployment_delete();
create or replace trigger deployment_insert_is_recorded after insert on deployment
    referencing new table as new_row for each statement execute function record_deployment_insert();
create or replace trigger deployment_update_is_recorded after update on deployment
    referencing old table as old_row new table as new_row for each statement execute function record_deployment_update();
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
create or replace trigger deployment_is_not_truncated before truncate on deployment
    for each statement execute function refuse_to_truncate_deployment();
create or replace trigger deployment_is_stamped before insert or update on deployment
    for each row execute function stamp_deployment();
