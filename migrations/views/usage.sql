-- Usage of CPU and memory, for people who query in SQL. docs/sql.md shows it with its result.

create or replace view top_consumers as
select u.deployment_id, u.package_name, u.package_version, u.unit, u.samples,
       u.cpu_percent_avg, u.cpu_percent_max, u.memory_mb_avg, u.memory_mb_max,
       rank() over (order by u.cpu_percent_avg desc) as cpu_rank,
       rank() over (order by u.memory_mb_avg desc) as memory_rank
from usage_per_deployment('36500 days', now() - interval '10 minutes') u;

comment on view top_consumers is 'What each program used in the last ten minutes, and its rank among all of the fleet.';
