-- append_snapshots under its name in 0.1.0, whose archive command calls it. Remove when min_writer reaches 2.

create or replace function carry_log_forward(
    p_before timestamptz, p_file text, p_sha256 text, p_events bigint, p_digest bigint
) returns bigint
language plpgsql security definer set search_path from current set timezone = 'UTC' as $$
begin
    return append_snapshots(p_before, p_file, p_sha256, p_events, p_digest);
end
$$;
