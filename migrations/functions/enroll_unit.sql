-- The owner of the schema binds a login to the address of a unit: from then on it is that unit and no other. A login that
-- does not exist is made, if p_verifier is given: the SCRAM verifier of its password, which this server never sees. Returns
-- whether it was made. Runs with the rights of its caller, who must be allowed to make roles and to grant nodeunit_unit.

create or replace function enroll_unit(p_login text, p_verifier text, p_address text) returns boolean
language plpgsql as $$
declare
    v_made boolean := not exists (select from pg_roles r where r.rolname = p_login);
begin
    perform require_argument(p_login ~ '^[^[:cntrl:]]{1,63}$', 'the name of a login has 1 to 63 characters');
    if v_made then
        perform require_argument(p_verifier like 'SCRAM-SHA-256$%', 'the login does not exist, and no password is given');
        execute format('create role %I login password %L', p_login, p_verifier);
    elsif p_verifier is not null then
        execute format('alter role %I login password %L', p_login, p_verifier);
    end if;
    execute format('grant nodeunit_unit to %I', p_login);
    insert into unit_login (login, address) values (p_login, p_address)
    on conflict on constraint unit_login_is_one_unit do update
    set (address, enrolled_at, enrolled_by) = (excluded.address, clock_timestamp(), session_user);
    return v_made;
end
$$;
