-- name: take_migration_lock
-- The number is arbitrary and stands for "migrating nodeunit"; the lock ends with the session.
select pg_advisory_lock(hashtextextended('nodeunit migrate ' || current_schema(), 0))

-- name: settle_search_path
-- Functions store the search path of this session. The extension may be in a schema of its own. If pg_temp were left
-- out it would be searched first, and a caller's own table named lease would replace the real one, with the owner's rights.
select set_config('search_path', concat_ws(', ', current_setting('search_path'), (
    select quote_ident(n.nspname)
    from pg_extension x
    join pg_namespace n on n.oid = x.extnamespace
    where x.extname = 'timescaledb' and n.nspname <> all (current_schemas(false))
), 'pg_temp'), false)

-- name: extension_out_of_reach
-- The schema of TimescaleDB, when this login may not use it: its functions do not exist then.
select quote_ident(n.nspname) as schema
from pg_extension x
join pg_namespace n on n.oid = x.extnamespace
where x.extname = 'timescaledb' and not has_schema_privilege(n.oid, 'usage')

-- name: grants_missing
-- Whether the roles were made after the grants.
select exists (
    select from pg_roles r
    where r.rolname = 'nodeunit_unit' and not has_any_column_privilege(r.oid, to_regclass('deployment'), 'select')
) as missing

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
