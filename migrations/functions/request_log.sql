-- Asks for the log of a program, from one beginning on: the last p_tail lines, what was written since p_since, from the
-- byte at p_first_byte on (negative: from the end), or the run before the newest. Returns the number of the request, for
-- read_log. p_resume: {"unit": position}, how far an earlier request had come. p_bytes: at most so many; null: no limit.
-- Raises NU010 if 64 requests are open.

create or replace function request_log(
    p_deployment_id uuid, p_unit_address text, p_tail integer, p_since timestamptz, p_first_byte bigint, p_bytes bigint,
    p_previous boolean, p_follow boolean, p_resume jsonb
) returns uuid
language plpgsql security definer set search_path from current as $$
declare
    v_id uuid := gen_random_uuid();
begin
    perform set_config('synchronous_commit', 'off', true);
    perform remove_expired_log_request();
    for v_attempt in 1..64 loop
        insert into log_request (
            id, slot, deployment_id, unit_address, tail, since, first_byte, bytes, previous, follow, expires_at
        )
        select v_id, free.slot, p_deployment_id, p_unit_address, p_tail, p_since, p_first_byte, p_bytes, p_previous,
               p_follow, clock_timestamp() + interval '10 seconds'
        from generate_series(0, 63) as free (slot)
        where not exists (select from log_request r where r.slot = free.slot)
        order by random() limit 1
        on conflict on constraint log_request_has_a_slot_of_its_own do nothing;
        if found then
            insert into log_sender (request_id, unit_address, turn, position)
            select v_id, r.key, row_number() over (), r.value::bigint from jsonb_each_text(p_resume) as r;
            return v_id;
        end if;
    end loop;
    raise exception 'the logs of 64 programs are being read, which is the most at once'
        using errcode = 'NU010', hint = 'end another nodeunit logs, or wait ten seconds for one that was killed';
end
$$;
