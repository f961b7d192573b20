-- Whether the login of this session may act for the unit at p_address: it is enrolled for it, or it is the owner of the
-- schema or a superuser, or the fleet is one of before logins were enrolled and nobody is enrolled for this address.
-- Called by functions with their owner's rights, so current_user is the owner. Two lookups by key in small tables.

create or replace function acts_for(p_address text) returns boolean
language plpgsql stable as $$
declare
    v_bound text := (select l.address from unit_login l where l.login = session_user);
begin
    if v_bound is not null and v_bound = p_address or pg_has_role(session_user, current_user, 'member') then
        return true;
    end if;
    return v_bound is null and not (select f.logins_must_be_enrolled from fleet f)
        and not exists (select from unit_login l where l.address = p_address);
end
$$;
