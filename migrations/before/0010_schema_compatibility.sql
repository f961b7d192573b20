-- The version of this schema, and the versions of the code that can work with it. migrations/compatibility.sql writes
-- the one row.

create table schema_compatibility (
    only_row boolean not null default true,
    version integer not null,
    min_reader integer not null,
    min_writer integer not null,

    constraint schema_compatibility_pkey primary key (only_row),
    constraint schema_compatibility_has_one_row check (only_row),
    constraint schema_compatibility_serves_its_own_version check (min_reader <= version and min_writer <= version)
);

comment on table schema_compatibility is
    'Which versions of nodeunit can work with this schema. A database without this table is of version 1.';
comment on column schema_compatibility.version is
    'The version of the schema; code of a later version needs a later schema.';
comment on column schema_compatibility.min_reader is
    'The oldest version whose commands still read this schema correctly.';
comment on column schema_compatibility.min_writer is 'The oldest version whose units and commands may still write.';
