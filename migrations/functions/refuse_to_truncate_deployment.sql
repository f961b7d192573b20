create or replace function refuse_to_truncate_deployment() returns trigger
language plpgsql as $$
begin
    raise exception 'truncate would leave no trace in the log'
        using errcode = 'NU005', hint = 'delete from deployment instead';
end
$$;

create or replace trigger deployment_is_not_truncated before truncate on deployment
    for each statement execute function refuse_to_truncate_deployment();
