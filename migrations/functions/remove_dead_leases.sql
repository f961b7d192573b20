-- Removes the leases of units that left or were lost more than a day ago and hold no row, because heartbeats look at all
-- leases. What the units did stays in the log and in table unit. Called at each join, as each join may add a lease.

create or replace function remove_dead_leases() returns void
language sql
begin atomic
    delete from lease where address in (
        select l.address from lease l
        where l.epoch is null and l.renewed_at < clock_timestamp() - interval '1 day'
          and not exists (select from deployment d where d.address = l.address and d.address <> '')
        limit 10000
        for update skip locked
    );
end;
