-- Rows can be called by a name, and what their environment was before a change is kept, so that the change can be undone.

alter table deployment
    add column name text collate "C",
    add constraint deployment_name_is_unique unique (name),
    add constraint deployment_name_is_plain check (name ~ '^[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$');

comment on column deployment.name is 'What people call the row; null: it has no name. A change of it restarts nothing and is no event.';

create table former_env (
    deployment_id uuid not null,
    until_revision integer not null,
    env jsonb not null,
    replaced_at timestamptz not null default clock_timestamp(),

    constraint former_env_pkey primary key (deployment_id, until_revision)
);

comment on table former_env is
    'The environment of a row before a change, because the log has no values. Nobody may read it; undo_deployment uses it.';
comment on column former_env.until_revision is 'The revision of the change that replaced it.';
