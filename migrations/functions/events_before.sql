-- The events before a time: their number, their bounds, and a digest by which their file can be checked.

create or replace function events_before(p_before timestamptz)
returns table (
    events bigint, first_position bigint, last_position bigint,
    first_recorded_at timestamptz, last_recorded_at timestamptz, digest bigint
)
language sql stable set search_path from current
begin atomic
    select count(*), min(e.position), max(e.position), min(e.recorded_at), max(e.recorded_at),
           coalesce(bit_xor(hash_record_extended(e.*, 0)), 0)
    from event e
    where e.recorded_at < p_before;
end;
