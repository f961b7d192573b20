-- The owner of the schema closes a fleet of before logins were enrolled: from now on a login that is not enrolled is no unit,
-- and no login of a unit reads the env of all rows, which the units of 0.1.0 do.

create or replace function require_enrolled_logins(p_required boolean) returns void
language plpgsql as $$
begin
    update fleet set logins_must_be_enrolled = p_required;
    if p_required then
        revoke select (env) on deployment from nodeunit_unit;
    else
        grant select (env) on deployment to nodeunit_unit;
    end if;
end
$$;
