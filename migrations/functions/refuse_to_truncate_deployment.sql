-- A trigger function: truncate would remove deployments without an event.

create or replace function refuse_to_truncate_deployment() returns trigger
language plpgsql set search_path from current as $$
begin
    raise exception 'truncate would leave no trace in the log'
        using errcode = 'NU005', hint = 'delete from deployment instead';
end
$$;
