-- Rows that a round cannot use, so that further rounds leave them out. A changed row is tried again.

create table unusable_deployment (
    deployment_id uuid not null,
    revision integer not null,
    noticed_at timestamptz not null default clock_timestamp(),

    constraint unusable_deployment_pkey primary key (deployment_id)
);

comment on table unusable_deployment is
    'Rows with a broken history, each with an event DeploymentUnusable. Rounds leave them out until they are changed.';
