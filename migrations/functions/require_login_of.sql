-- The one check of who a unit is. Raises NU011 unless the login of this session may act for the unit at p_address. Every
-- function that a unit calls with its address begins with it.

create or replace function require_login_of(p_address text) returns void
language plpgsql as $$
begin
    if not acts_for(p_address) then
        raise exception 'the login % may not act for the unit %', session_user, left(p_address, 200)
            using errcode = 'NU011', hint = 'have the owner of the database run: nodeunit enroll';
    end if;
end
$$;
