-- For which units the login of this session may act: `one` (it is enrolled), `all` (it is the owner of the schema or a
-- superuser), `unenrolled` (for those without an enrolled login, in a fleet of before logins were enrolled) or `none`.

create or replace function login_binding() returns text
language plpgsql stable security definer set search_path from current as $$
begin
    return case
        when pg_has_role(session_user, current_user, 'member') then 'all'
        when exists (select from unit_login l where l.login = session_user) then 'one'
        when (select f.logins_must_be_enrolled from fleet f) then 'none'
        else 'unenrolled'
    end;
end
$$;
