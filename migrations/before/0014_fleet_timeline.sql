-- Leases count anew after a failover, however short it was, because the clocks of two servers differ.

alter table fleet add column timeline integer;

comment on column fleet.timeline is
    'That of the newest primary that a unit has spoken to; on a newer one no lease has expired before leases count anew.';
