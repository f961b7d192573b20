-- Life of a fleet of 0.1.0, by its own functions: units, claims, releases, a lost unit, an operator, samples, an archive.
-- Statements are separated by empty lines, each a transaction.

select join_unit('unit-1', gen_random_uuid(), '1 hour', '30 minutes', '{"name": "one", "host": "h", "policy":
    "deployment_count", "cpu_weight": 0.5, "memory_weight": 0.5, "reserved_cpu_percent": 1, "reserved_memory_mb": 64,
    "trusted": "^@yuants/", "custom_command": false, "version": "0.1.0"}', gen_random_uuid());

select join_unit('unit-2', gen_random_uuid(), '1 hour', '30 minutes', '{"name": "two", "host": "h", "policy":
    "resource_usage", "cpu_weight": 0.5, "memory_weight": 0.5, "reserved_cpu_percent": 1, "reserved_memory_mb": 64,
    "trusted": "^@yuants/", "custom_command": true, "version": "0.1.0"}', gen_random_uuid());

select join_unit('unit-3', gen_random_uuid(), '1 hour', '30 minutes', '{"name": "three", "host": "h", "policy":
    "none", "cpu_weight": 0.5, "memory_weight": 0.5, "reserved_cpu_percent": 1, "reserved_memory_mb": 64,
    "trusted": "^@yuants/", "custom_command": false, "version": "0.1.0"}', gen_random_uuid());

insert into deployment (id, package_name, package_version)
select ('00000000-0000-0000-0000-' || lpad(n::text, 12, '0'))::uuid, '@yuants/app-portal', '0.2.26'
from generate_series(1, 8) n;

select claim_deployment('unit-1', 1, (n - 1)::integer, jsonb_build_array(jsonb_build_object(
        'event_id', gen_random_uuid(), 'type', 'DeploymentClaimAttempt', 'deployment_id', d.id,
        'data', jsonb_build_object('deployment_id', d.id, 'claimant', 'unit-1', 'usage', '{}'::jsonb))),
    d.id, 0, '', gen_random_uuid())
from (select id, row_number() over (order by id) as n from deployment order by id limit 4) d (id, n);

select claim_deployment('unit-2', 1, 0, '[]', d.id, 0, '', gen_random_uuid())
from (select id from deployment where address = '' order by id limit 1) d;

select claim_deployment('unit-2', 1, 0, '[]', d.id, 7, '', gen_random_uuid())
from (select id from deployment where address = '' order by id limit 1) d;

select append_decisions('unit-1', 1, l.stream_version, jsonb_build_array(jsonb_build_object(
        'event_id', gen_random_uuid(), 'type', 'ProcessStarted', 'deployment_id', d.id,
        'data', jsonb_build_object('deployment_id', d.id, 'pid', 4711, 'start_time', 1, 'claim_version', 1, 'revision', 1))))
from deployment d, lease l where d.address = 'unit-1' and l.address = 'unit-1' order by d.id limit 1;

select heartbeat('unit-1', 1, '1 hour', '30 minutes', 12.5, 100, jsonb_build_array(jsonb_build_object(
    'deployment_id', '00000000-0000-0000-0000-000000000001', 'claim_version', 1, 'cpu_percent', 1, 'memory_mb', 10)));

select release_deployment('unit-1', 1, '00000000-0000-0000-0000-000000000002', 1, 'drained', gen_random_uuid());

update deployment set package_version = '0.2.27' where id = '00000000-0000-0000-0000-000000000003';

update deployment set enabled = false where id = '00000000-0000-0000-0000-000000000004';

update deployment set address = 'unit-3' where id = '00000000-0000-0000-0000-000000000008';

delete from deployment where id = '00000000-0000-0000-0000-000000000007';

update lease set renewed_at = renewed_at - interval '2 hours', expires_at = expires_at - interval '2 hours',
    quiet_at = quiet_at - interval '2 hours'
where address = 'unit-2';

select declare_lost('unit-1', 1, 'unit-2', gen_random_uuid());

do $$
declare
    v_cut timestamptz := archivable_before(clock_timestamp());
begin
    if v_cut is not null then
        perform carry_log_forward(v_cut, 'archive.gz', 'checksum', e.events, e.digest) from events_before(v_cut) e;
        perform drop_archived_events('checksum');
    end if;
end
$$;

select claim_deployment('unit-1', 1, l.stream_version, '[]', '00000000-0000-0000-0000-000000000002', 2, '', gen_random_uuid())
from lease l where l.address = 'unit-1';

select cordon_unit('unit-3');

select drain_unit('unit-3', '1 minute');

insert into usage (recorded_at, unit_address, cpu_percent, memory_mb)
select now() - interval '3 hours' + n * interval '1 minute', 'unit-1', n, n from generate_series(1, 20) n;

select roll_up_usage(now() - interval '1 hour');

insert into deployment (package_name, package_version, type) values ('@yuants/watcher', '1.0.0', 'daemon');
