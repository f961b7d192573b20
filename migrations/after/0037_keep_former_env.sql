-- What an environment was before a change is kept from now on.

create or replace trigger deployment_env_is_kept_at_delete after delete on deployment
    referencing old table as old_row for each statement execute function keep_former_env();
create or replace trigger deployment_env_is_kept_at_update after update on deployment
    referencing old table as old_row new table as new_row for each statement execute function keep_former_env();
