-- Gives a row an earlier specification again, by the number of its revision; env comes from where readers cannot see it.
-- Returns the new revision. Raises NU013 if the log or the environment of then is not kept.

create or replace function undo_deployment(p_id uuid, p_revision integer) returns integer
language plpgsql security definer set search_path from current as $$
declare
    v_then jsonb;
    v_env jsonb;
    v_replaced integer;
    v_now deployment;
    v_old jsonb;
    v_new jsonb;
    v_runtime text;
begin
    select * into v_now from deployment d where d.id = p_id for update;
    if not found then
        raise exception 'deployment % does not exist', p_id using errcode = 'NU013', hint = 'create it again';
    end if;
    select e.data into v_then from event e
    where e.stream_id = 'deployment-' || p_id and e.stream_version = p_revision
      and e.type in ('DeploymentCreated', 'DeploymentChanged', 'DeploymentSnapshot', 'DeploymentCarried');
    if not found then
        raise exception 'deployment % has no specification of revision %', p_id, p_revision
            using errcode = 'NU013', hint = 'see: nodeunit rollout history';
    end if;
    -- The first change of env after that revision says until when it was valid.
    select min(e.stream_version) into v_replaced from event e
    where e.stream_id = 'deployment-' || p_id and e.stream_version > p_revision
      and e.type = 'DeploymentChanged' and e.data -> 'changed' ? 'env';
    if v_replaced is null then
        v_env := v_now.env;
    elsif v_then -> 'env_names' = '[]' then
        v_env := '{}';
    else
        select f.env into v_env from former_env f where f.deployment_id = p_id and f.until_revision = v_replaced;
    end if;
    if v_env is null or v_then -> 'env_names' <> coalesce(
        (select jsonb_agg(k order by k) from jsonb_object_keys(v_env) k), '[]'
    ) then
        raise exception 'the environment of deployment % at revision % is not kept', p_id, p_revision
            using errcode = 'NU013', hint = 'set the row by hand: nodeunit set';
    end if;
    v_runtime := coalesce(v_then ->> 'runtime', '');
    if v_runtime = (case when v_then ->> 'command' <> '' then 'command' else 'npm' end) then
        v_runtime := '';
    end if;
    v_old := to_jsonb(v_now);
    v_new := v_old || jsonb_build_object(
        'stop_grace_s', null, 'stop_signal', 'TERM', 'memory_limit_mb', null, 'cpu_weight', null, 'process_limit', null,
        'restart', 'always', 'restart_limit', null, 'startup_check', '', 'startup_timeout_s', 60, 'liveness_check', '',
        'wants_port', false, 'secrets', '{}'::jsonb, 'cwd', ''
    ) || coalesce(v_then -> 'options', '{}') || jsonb_build_object(
        'package_name', v_then -> 'package_name', 'package_version', v_then -> 'package_version',
        'command', v_then -> 'command', 'args', v_then -> 'args', 'env', v_env, 'type', v_then -> 'type',
        'on_disconnect', v_then -> 'on_disconnect', 'runtime', v_runtime
    );
    update deployment d set
        (package_name, package_version, command, args, env, type, on_disconnect, runtime, cwd, stop_grace_s, stop_signal,
         memory_limit_mb, cpu_weight, process_limit, restart, restart_limit, startup_check, startup_timeout_s,
         liveness_check, wants_port, secrets) = (
            select r.package_name, r.package_version, r.command, r.args, r.env, r.type, r.on_disconnect, r.runtime, r.cwd,
                   r.stop_grace_s, r.stop_signal, r.memory_limit_mb, r.cpu_weight, r.process_limit, r.restart,
                   r.restart_limit, r.startup_check, r.startup_timeout_s, r.liveness_check, r.wants_port, r.secrets
            from jsonb_populate_record(null::deployment, v_new) r
        )
    where d.id = p_id
    returning d.revision into v_now.revision;
    return v_now.revision;
end
$$;
