-- What a unit or an operator hands to a function must be a finite number in its range or a text of its form: raises NU012
-- unless p_holds, which is null for a missing argument. p_rule says what must hold.

create or replace function require_argument(p_holds boolean, p_rule text) returns void
language plpgsql immutable as $$
begin
    if p_holds is not true then
        raise exception 'an argument is refused: %', p_rule using errcode = 'NU012';
    end if;
end
$$;
