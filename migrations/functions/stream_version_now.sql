-- The version of the stream decision-<address>-<epoch>, asked by a unit that does not know whether its last append was
-- committed; null if the epoch is not in force. The row lock waits for an append still in progress.

create or replace function stream_version_now(p_address text, p_epoch integer) returns integer
language plpgsql security definer set search_path from current as $$
declare
    v_version integer;
begin
    perform require_login_of(p_address);
    select l.stream_version into v_version from lease l where l.address = p_address and l.epoch = p_epoch for update;
    return v_version;
end
$$;
