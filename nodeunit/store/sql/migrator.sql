-- name: take_migration_lock
-- The number is arbitrary and stands for "migrating nodeunit"; the lock ends with the session.
select pg_advisory_lock(hashtextextended('nodeunit migrate ' || current_schema(), 0))

-- name: create_ledger
create table if not exists schema_migration (
    name text not null constraint schema_migration_pkey primary key,
    checksum text not null,
    applied_at timestamptz not null default now()
)

-- name: record_migration
insert into schema_migration (name, checksum) values (%(name)s, %(checksum)s)
on conflict on constraint schema_migration_pkey
do update set checksum = excluded.checksum, applied_at = now()
