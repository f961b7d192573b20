-- name: listen
listen nodeunit

-- name: newest_wake_up
select coalesce(max(w.number), 0) as number, pg_is_in_recovery() as standby from wake_up w
