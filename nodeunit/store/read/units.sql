-- name: units_listed
-- Every unit of the fleet, or those that have left too. No unit is asked how many rows it has beyond 10000.
select u.address, u.name, u.host, u.membership, u.cordoned, u.policy, u.software, u.epoch, u.since,
       extract(epoch from clock_timestamp() - u.since)::double precision as since_s,
       coalesce(l.expires_at > clock_timestamp(), false) as lease_valid,
       (
           select count(*) from (
               select from deployment d where d.address = u.address and d.address <> '' limit 10000
           ) held
       ) as rows,
       l.cpu_percent, l.memory_mb
from unit u
left join lease l on l.address = u.address and l.epoch = u.epoch
where %(all)s or u.membership <> 'left'
order by u.name collate "C", u.address
