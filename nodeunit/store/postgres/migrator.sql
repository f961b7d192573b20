-- name: take_migration_lock
-- The number is arbitrary and stands for "migrating nodeunit"; the lock ends with the session.
select pg_advisory_lock(hashtextextended('nodeunit migrate ' || current_schema(), 0))

-- name: search_temporary_tables_last
-- Functions store this session's search path. If pg_temp is not listed last, it is searched first, and a caller's own
-- table named lease would replace the real one, with the rights of the owner.
select set_config('search_path', current_setting('search_path') || ', pg_temp', false)

-- name: tables_of_others
-- The schema that tables are made in, when it has a table deployment already; asked before the first migration.
select current_schema() as schema
where to_regclass(quote_ident(current_schema()) || '.deployment') is not null

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
