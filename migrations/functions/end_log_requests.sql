-- The reader has what it wanted: nothing more travels for these requests of its own.

create or replace function end_log_requests(p_requests uuid[]) returns void
language sql security definer set search_path from current
as $$ delete from log_request where id = any (p_requests) and requested_by = session_user $$;
