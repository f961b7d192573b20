-- One look of a reader at its requests: confirms the pieces it has, keeps the requests alive for ten seconds, wakes the
-- units that should send and do not, and returns what is there. A few times a second, by primary key.
-- p_confirmed: [{"request_id", "unit_address", "number"}, …], the last piece of each sender that the reader has.
--
-- A line for each unit of each request; one with an empty address if there is no unit yet; none: the request is gone.
-- holds     the unit should send: it holds the row, or was named
-- answers   the unit has begun to send
-- numbers   the pieces not confirmed, with positions, data and marks in the same order. While two units send for one row,
--           because it was taken over, only those of the earlier one, until it has finished or is silent for 3 seconds.

create or replace function read_log(p_requests uuid[], p_confirmed jsonb) returns table (
    request_id uuid, unit_address text, holds boolean, answers boolean, finished boolean, problem text,
    numbers integer[], positions bigint[], data bytea[], marks jsonb
)
language plpgsql security definer set search_path from current as $$
#variable_conflict use_column
declare
    v_now timestamptz := clock_timestamp();
    v_asked uuid[];
    v_silent record;
begin
    perform set_config('synchronous_commit', 'off', true);
    v_asked := array(select r.id from log_request r where r.id = any (p_requests) and r.requested_by = session_user);
    update log_request r set expires_at = v_now + interval '10 seconds'
    where r.id = any (v_asked) and r.expires_at < v_now + interval '8 seconds';

    if jsonb_array_length(p_confirmed) > 0 then
        -- In one order, as in serve_logs, so that no two sessions wait for each other.
        perform from log_sender s where s.request_id = any (v_asked)
        order by s.request_id, s.unit_address for no key update;
        with confirmed as (
            update log_sender s set confirmed = c.number
            from jsonb_to_recordset(p_confirmed) as c (request_id uuid, unit_address text, number integer)
            where s.request_id = c.request_id and s.unit_address = c.unit_address and s.confirmed < c.number
              and s.request_id = any (v_asked)
            returning s.request_id, s.unit_address, s.confirmed
        )
        delete from log_piece p using confirmed c
        where p.request_id = c.request_id and p.unit_address = c.unit_address and p.number <= c.confirmed;
    end if;

    for v_silent in
        select r.id, string_agg(h.address, ',' order by h.address) as addresses, count(*) as units
        from log_request r
        join log_holders(v_asked) h on h.request_id = r.id
        left join log_sender s on s.request_id = r.id and s.unit_address = h.address
        where s.request_id is null or not s.finished and s.seen_at < v_now - interval '3 seconds'
           or s.finished and r.follow and s.claim_version < h.claim_version
        group by r.id, r.woken, r.woken_at, r.requested_at
        having r.woken <> string_agg(h.address, ',' order by h.address)
            or r.woken_at < v_now - case
                when r.requested_at > v_now - interval '10 seconds' then interval '2 seconds' else interval '10 seconds'
            end
    loop
        update log_request r set woken = v_silent.addresses, woken_at = v_now where r.id = v_silent.id;
        perform wake('logs', case when v_silent.units > 20 then '*' else v_silent.addresses end);
    end loop;

    return query
    with holders as materialized (
        select * from log_holders(v_asked)
    ), sender as (
        select r.id, coalesce(s.unit_address, '') as address, s.turn, s.finished, s.problem,
               exists (select from log_piece p where p.request_id = s.request_id and p.unit_address = s.unit_address)
                   or not s.finished and s.seen_at > v_now - interval '3 seconds' as open,
               r.unit_address = '' and not exists (
                   select from deployment d where d.id = r.deployment_id and d.type = 'daemon'
               ) as in_turn
        from log_request r left join log_sender s on s.request_id = r.id
        where r.id = any (v_asked)
    ), first as (
        select b.id, min(b.turn) filter (where b.open) as turn from sender b group by b.id
    )
    select b.id, b.address,
           exists (select from holders h where h.request_id = b.id and h.address = b.address),
           b.turn is not null, coalesce(b.finished, false), coalesce(b.problem, ''),
           coalesce(p.numbers, '{}'), coalesce(p.positions, '{}'), coalesce(p.data, '{}'), coalesce(p.marks, '[]')
    from sender b
    join first f on f.id = b.id
    left join lateral (
        select array_agg(p.number order by p.number) as numbers, array_agg(p.position order by p.number) as positions,
               array_agg(p.data order by p.number) as data, jsonb_agg(p.marks order by p.number) as marks
        from log_piece p
        where p.request_id = b.id and p.unit_address = b.address and (b.turn = f.turn or not b.in_turn)
    ) p on true
    union all
    select h.request_id, h.address, true, false, false, '', '{}', '{}', '{}', '[]'
    from holders h
    where not exists (
        select from log_sender s where s.request_id = h.request_id and s.unit_address = h.address
    );
end
$$;
