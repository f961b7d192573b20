-- What should run. People write these rows in plain SQL; every rule a row must obey is a constraint named after it.

create table deployment (
    id uuid not null default gen_random_uuid(),
    package_name text not null default '',
    package_version text not null default '',
    command text not null default '',
    args jsonb not null default '[]',
    env jsonb not null default '{}',
    type text not null default 'deployment',
    address text not null default '',
    enabled boolean not null default true,
    on_disconnect text not null default 'keep',
    revision integer not null default 1,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),

    constraint deployment_pkey primary key (id),
    constraint deployment_type_is_deployment_or_daemon check (type in ('deployment', 'daemon')),
    constraint deployment_args_is_array_of_strings check (
        jsonb_typeof(args) = 'array' and not jsonb_path_exists(args, 'strict $[*] ? (@.type() <> "string")')
    ),
    constraint deployment_env_is_object_of_strings check (
        jsonb_typeof(env) = 'object' and not jsonb_path_exists(env, 'strict $.* ? (@.type() <> "string")')
    ),
    constraint deployment_daemon_has_no_address check (type <> 'daemon' or address = ''),
    constraint deployment_on_disconnect_is_keep_or_stop check (on_disconnect in ('keep', 'stop'))
);

comment on table deployment is 'One row per long-running program that should run somewhere in the fleet.';
comment on column deployment.address is 'The unit that holds the row; empty: any unit may claim it. A projection of the event log.';
comment on column deployment.on_disconnect is
    'keep: the program outlives its unit''s connection to the database; stop: it is dead before the lease can expire.';
comment on column deployment.revision is 'Counts the changes of the specification; a program runs one revision.';

-- A round asks for the oldest rows nobody has, and for the rows of units that are gone.
create index deployment_unassigned on deployment (updated_at, created_at, id)
    where enabled and type = 'deployment' and address = '';
create index deployment_by_address on deployment (address) where address <> '';
create index deployment_by_package on deployment (package_name, package_version);
