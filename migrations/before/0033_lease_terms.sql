-- What a unit asked for when it joined. Its heartbeats cannot ask for more. Null: it joined before this file was applied.

alter table lease
    add column ttl interval,
    add column inactive_after interval;

comment on column lease.ttl is 'How long a heartbeat renews the lease at most, as the unit said when it joined.';
comment on column lease.inactive_after is 'After so long without a heartbeat the unit takes no part in rounds, at most.';
