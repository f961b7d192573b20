-- Rows that a round found it cannot use, so that rounds go on without them. A changed row is tried again.

create table unusable_deployment (
    deployment_id uuid not null,
    revision integer not null,
    noticed_at timestamptz not null default clock_timestamp(),

    constraint unusable_deployment_pkey primary key (deployment_id)
);

comment on table unusable_deployment is
    'Rows whose history is broken, as an event DeploymentUnusable says: no round looks at them before they are changed.';
