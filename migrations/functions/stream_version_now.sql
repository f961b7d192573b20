-- The version of the stream decision-<address>-<epoch>, asked by a unit that does not know whether its last append was
-- committed; null if the epoch is not in force. The row lock waits for an append still in progress.

create or replace function stream_version_now(p_address text, p_epoch integer) returns integer
language sql security definer set search_path from current
as $$ select stream_version from lease where address = p_address and epoch = p_epoch for update $$;
