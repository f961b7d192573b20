-- Indexes for looking back. Each covers one kind of stream, whatever the types in it, so an event of another kind costs
-- an insert no more than a comparison. A moment T reads what was recorded up to T, newest first: later chunks stay shut.

create index event_of_assignment on event (deployment_id, recorded_at desc) where stream_id like 'assignment-%';
create index event_of_specification on event (recorded_at) where stream_id like 'deployment-%';
create index event_of_membership on event (recorded_at) where stream_id like 'unit-%';
create index event_of_round on event (unit_address, recorded_at desc) where type = 'DeploymentClaimRound';
