-- Least privilege. Units call functions; people write deployments; readers read. Grant these to login roles:
--   grant nodeunit_unit to <login>;

do $$
declare
    v_role text;
begin
    foreach v_role in array array['nodeunit_unit', 'nodeunit_operator', 'nodeunit_reader'] loop
        begin
            if not exists (select from pg_roles where rolname = v_role) then
                execute format('create role %I nologin', v_role);
            end if;
        exception
            when duplicate_object or unique_violation then null;
            when insufficient_privilege then
                raise notice 'no right to create role %: ask an administrator, then run the grants', v_role;
        end;
    end loop;
end
$$;
