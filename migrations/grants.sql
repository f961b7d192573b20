-- The rights of each role; runs after all functions and views. Units call functions and read; they write no table
-- directly.

do $$
declare
    v_function regprocedure;
    v_view regclass;
begin
    for v_function in
        select p.oid::regprocedure
        from pg_proc p
        where p.pronamespace = current_schema()::regnamespace and p.prokind = 'f'
          and pg_get_userbyid(p.proowner) = current_user
          and not exists (select from pg_depend d where d.objid = p.oid and d.deptype = 'e')
    loop
        execute format('revoke execute on function %s from public', v_function);
    end loop;

    if not exists (select from pg_roles where rolname = 'nodeunit_unit') then
        raise notice 'no role has rights yet: have the roles nodeunit_unit, nodeunit_operator and nodeunit_reader created, then run nodeunit migrate again';
        return;
    end if;

    grant execute on function
        join_unit, begin_draining, record_supervisor_death, end_drain, leave_unit, declare_units_lost, heartbeat,
        inputs_of_round, claim_deployment, claim_deployments, release_deployment, append_decisions, probe_units,
        suspect_units, stream_version_now, wake, make_chunks_ahead, first_unlocked_deployment,
        installed_version, package_lock_of, record_install,
        serve_logs,
        count_leases_anew_after_failover, login_binding, rows_to_run, disabled_rows_of
    to nodeunit_unit;
    -- For units of 0.1.0; remove with functions/predecessors.
    grant execute on function ask_units, doubt_units, declare_lost to nodeunit_unit;
    grant execute on function round_inputs(text[], integer) to nodeunit_unit, nodeunit_operator, nodeunit_reader;

    -- For queries of the past and of the unit that would claim a row.
    grant execute on function
        deployments_at, units_at, moment_of_position, log_transaction_offset, runtime_of, program_options, secret_names,
        fold_deployment_address, deployment_address_folded, deployment_address_differences,
        fold_unit, unit_folded, unit_differences,
        fold_program, fold_install, fold_program_after, is_process_event, program_counts, program_folded, program_differences
    to nodeunit_unit, nodeunit_operator, nodeunit_reader;
    grant execute on function inputs_of_round to nodeunit_operator, nodeunit_reader;

    grant execute on function cordon_unit, uncordon_unit, drain_unit, undo_deployment to nodeunit_operator;
    -- The way to have a package resolved or locked anew, when the registry serves other bytes for a reason.
    grant delete on program_version, package_lock to nodeunit_operator;

    -- Not for readers: a request makes units work and store, and what programs print may be more secret than their rows.
    grant execute on function request_log, read_log, end_log_requests to nodeunit_operator;

    -- The env of rows may hold secrets: operators write and read it, a unit gets that of its own rows from functions.
    execute format(
        'revoke select on deployment from nodeunit_unit, nodeunit_reader; '
        'grant select (%s) on deployment to nodeunit_unit, nodeunit_reader',
        (
            select string_agg(quote_ident(a.attname), ', ' order by a.attnum)
            from pg_attribute a
            where a.attrelid = 'deployment'::regclass and a.attnum > 0 and not a.attisdropped and a.attname <> 'env'
        )
    );
    grant select on deployment to nodeunit_operator;
    perform require_enrolled_logins(f.logins_must_be_enrolled) from fleet f;

    grant select on
        event, usage, unit, lease, fleet, current_usage, wake_up, assignment_order, membership_order,
        schema_migration, schema_compatibility, usage_hourly, unusable_deployment, package_lock, program_version, program
    to nodeunit_unit, nodeunit_operator, nodeunit_reader;

    -- What people query in SQL. Views read with their owner's rights, functions over usage with the caller's.
    for v_view in
        select c.oid::regclass
        from pg_class c
        where c.relnamespace = current_schema()::regnamespace and c.relkind = 'v'
          and pg_get_userbyid(c.relowner) = current_user
          and not exists (select from pg_depend d where d.objid = c.oid and d.deptype = 'e')
    loop
        execute format('grant select on %s to nodeunit_unit, nodeunit_operator, nodeunit_reader', v_view);
    end loop;
    grant execute on function usage_per_unit, usage_per_deployment, usage_at, fold_deployment_address
    to nodeunit_unit, nodeunit_operator, nodeunit_reader;

    -- Includes columns that programs write back as they have read them; triggers keep their right values.
    grant insert (id, name, package_name, package_version, command, args, env, type, address, enabled, on_disconnect,
            runtime, cwd, stop_grace_s, stop_signal, memory_limit_mb, cpu_weight, process_limit, restart, restart_limit,
            startup_check, startup_timeout_s, liveness_check, wants_port, secrets, created_at, updated_at),
        update (id, name, package_name, package_version, command, args, env, type, address, enabled, on_disconnect,
            runtime, cwd, stop_grace_s, stop_signal, memory_limit_mb, cpu_weight, process_limit, restart, restart_limit,
            startup_check, startup_timeout_s, liveness_check, wants_port, secrets, created_at, updated_at),
        delete
    on deployment to nodeunit_operator;
end
$$;
