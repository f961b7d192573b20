-- Where the stream of a deleted row ended, because its id may be reused after the events have been archived.

create table former_deployment (
    deployment_id uuid not null,
    revision integer not null,

    constraint former_deployment_pkey primary key (deployment_id)
);

comment on table former_deployment is
    'The last version of deployment-<id> for each deleted row; a new row with this id continues it.';
