-- Removes one request whose reader is silent, with all that was sent for it. One at a time, and none that another session
-- removes, so that no two sessions wait for each other.

create or replace function remove_expired_log_request() returns void
language sql as $$
    delete from log_request where id = (
        select r.id from log_request r where r.expires_at < clock_timestamp() limit 1 for update skip locked
    )
$$;
