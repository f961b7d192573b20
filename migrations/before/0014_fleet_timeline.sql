-- Leases are restarted after a failover, however short, because the clocks of two servers differ.

alter table fleet add column timeline integer;

comment on column fleet.timeline is
    'The newest known timeline; on a newer timeline no lease counts as expired until leases have been restarted.';
