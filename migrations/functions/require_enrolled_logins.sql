-- The owner of the schema closes a fleet of before logins were enrolled: from now on a login that is not enrolled is no unit.

create or replace function require_enrolled_logins(p_required boolean) returns void
language sql
as $$ update fleet set logins_must_be_enrolled = p_required $$;
