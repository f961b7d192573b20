-- The version of the stream decision-<address>-<epoch>, for a unit that does not know what became of its last append; null
-- when the epoch is not in force. The row lock waits for an append still on its way to its end.

create or replace function stream_version_now(p_address text, p_epoch integer) returns integer
language sql security definer set search_path from current
as $$ select stream_version from lease where address = p_address and epoch = p_epoch for update $$;
