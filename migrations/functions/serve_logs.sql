-- A unit sends pieces of logs, says how far it is, and learns what is asked of it: one statement, also when it has nothing
-- to send. The pieces are arrays of one length; they and p_states are of requests that this function has returned.
-- p_states: [{"request_id", "position", "next_number", "finished", "problem"}, …]
--
-- Returns the requests that this unit has not finished: those of rows that it holds, of every row if it is named, and those
-- that it has begun. It does not check an epoch: what a unit has in its logs is true when the unit was declared lost, too.
-- since_s        how long ago that was which is asked for, because clocks differ
-- holds          false: the row has another holder; send what there is, and finish
-- is_first       false: another unit has sent before; begin with the run of this claim
-- next_number    of the next piece; it may be sent if it is at most 4 after confirmed

create or replace function serve_logs(
    p_address text, p_requests uuid[], p_numbers integer[], p_positions bigint[], p_data bytea[], p_marks jsonb[],
    p_states jsonb
) returns table (
    request_id uuid, deployment_id uuid, tail integer, since_s double precision, first_byte bigint, bytes bigint,
    previous boolean, follow boolean, holds boolean, is_first boolean, claim_version integer,
    "position" bigint, next_number integer, confirmed integer
)
language plpgsql security definer set search_path from current as $$
#variable_conflict use_column
declare
    v_now timestamptz := clock_timestamp();
begin
    perform require_login_of(p_address);
    perform set_config('synchronous_commit', 'off', true);
    perform remove_expired_log_request();

    perform from log_sender s
    where s.unit_address = p_address and s.request_id in (
        select n.request_id from jsonb_to_recordset(p_states) as n (request_id uuid)
    )
    order by s.request_id, s.unit_address for no key update;
    insert into log_piece (request_id, unit_address, number, position, data, marks)
    select p.request_id, p_address, p.number, p.position, p.data, p.marks
    from unnest(p_requests, p_numbers, p_positions, p_data, p_marks) as p (request_id, number, position, data, marks)
    join log_sender s on s.request_id = p.request_id and s.unit_address = p_address;

    update log_sender s
    set position = n.position, next_number = n.next_number, finished = n.finished, problem = left(n.problem, 1000),
        seen_at = v_now
    from jsonb_to_recordset(p_states) as n
        (request_id uuid, position bigint, next_number integer, finished boolean, problem text)
    where s.request_id = n.request_id and s.unit_address = p_address;

    -- Nearly always there is no request at all, and nothing more is looked at.
    if not exists (select from log_request) then
        return;
    end if;

    insert into log_sender (request_id, unit_address, turn, claim_version)
    select h.request_id, p_address,
           1 + coalesce((select max(s.turn) from log_sender s where s.request_id = h.request_id), 0), h.claim_version
    from log_holders(array(select r.id from log_request r where r.expires_at >= v_now)) h
    join log_request r on r.id = h.request_id
    where h.address = p_address
    on conflict on constraint log_sender_pkey do update
    -- The row came back under a new claim.
    set turn = excluded.turn, claim_version = excluded.claim_version, finished = false, seen_at = v_now
    where log_sender.finished and log_sender.claim_version < excluded.claim_version
      and exists (select from log_request r where r.id = excluded.request_id and r.follow);

    return query
    select r.id, r.deployment_id, r.tail, extract(epoch from v_now - r.since)::double precision, r.first_byte, r.bytes,
           r.previous, r.follow,
           exists (
               select from log_holders(array[r.id]) h where h.address = p_address
           ),
           not exists (
               select from log_sender o where o.request_id = r.id and o.unit_address <> p_address and o.turn < s.turn
           ) or r.unit_address <> '' or exists (
               select from deployment d where d.id = r.deployment_id and d.type = 'daemon'
           ),
           s.claim_version, s.position, s.next_number, s.confirmed
    from log_sender s join log_request r on r.id = s.request_id
    where s.unit_address = p_address and not s.finished and r.expires_at >= v_now;
end
$$;
