-- name: archive_is_running
-- Held off for as long as this session lasts. An archive drops chunks whole, so they must not be merged under it.
select not pg_try_advisory_lock(hashtextextended('nodeunit archive ' || current_schema(), 0)) as running

-- name: merge_short_chunks
select m.starts_at, m.ends_at, m.chunks from merge_short_chunks(%(table)s, %(after)s) as m

-- name: make_chunks_ahead
select make_chunks_ahead() as made
