-- What was installed first, so that every other unit installs the same.

create table package_lock (
    runtime text not null,
    package_name text not null,
    version text not null,
    integrity text not null,
    lock text not null,
    packages integer not null,
    unit_address text not null,
    recorded_at timestamptz not null default now(),

    constraint package_lock_pkey primary key (runtime, package_name, version),
    constraint package_lock_runtime_is_npm_or_python check (runtime in ('npm', 'python')),
    constraint package_lock_is_at_most_8_mib check (
        octet_length(lock) <= 8388608 and octet_length(integrity) <= 32768 and length(package_name) <= 214
        and length(version) between 1 and 128
    )
);

comment on table package_lock is
    'The lock of the first installation of each exact version in this fleet: all versions and hashes of what belongs to it.';

create table program_version (
    deployment_id uuid not null,
    runtime text not null,
    package_name text not null,
    wanted text not null,
    version text not null,
    unit_address text not null,
    resolved_at timestamptz not null default now(),

    constraint program_version_pkey primary key (deployment_id),
    constraint program_version_has_a_lock foreign key (runtime, package_name, version) references package_lock
);

comment on table program_version is
    'What the version of a row was resolved to. It holds until the row names another package or version, or is restarted.';
