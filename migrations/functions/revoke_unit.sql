-- The owner of the schema takes a login back: it is no unit any more, at once, also in sessions that are open. Returns the
-- address that it was bound to; null if it was not enrolled. The lease of the unit runs out, and other units take its rows.

create or replace function revoke_unit(p_login text) returns text
language plpgsql as $$
declare
    v_address text;
begin
    delete from unit_login l where l.login = p_login returning l.address into v_address;
    if exists (select from pg_roles r where r.rolname = p_login) then
        execute format('revoke nodeunit_unit from %I', p_login);
        execute format('alter role %I nologin', p_login);
    end if;
    return v_address;
end
$$;
