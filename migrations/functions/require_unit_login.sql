-- As require_login_of, where no address is given: raises NU011 unless the login of this session may act for some unit.

create or replace function require_unit_login() returns void
language plpgsql as $$
begin
    if not exists (select from unit_login l where l.login = session_user) then
        perform require_login_of('');
    end if;
end
$$;
