-- round_inputs as the units of 0.1.0 call it: they refuse a package, whether or not a row has a command. Remove when
-- min_writer reaches 2.

create or replace function round_inputs(p_refused text[], p_limit integer)
returns table (units jsonb, candidates jsonb)
language plpgsql stable security definer set search_path from current as $$
begin
    return query select r.units, r.candidates
    from inputs_of_round(
        array(
            select jsonb_build_array(p.package, n.has_command, n.runtime, '[]'::jsonb)
            from unnest(p_refused) p (package)
            cross join (values (false, 'npm'), (false, 'python'), (true, 'command'), (true, 'npm'), (true, 'python'))
                n (has_command, runtime)
        ),
        p_limit
    ) r;
end
$$;
