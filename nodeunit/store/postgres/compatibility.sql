-- name: schema_tables
select to_regclass('schema_migration') is not null as migrated,
       to_regclass('schema_compatibility') is not null as states_compatibility

-- name: schema_compatibility
select c.version, c.min_reader, c.min_writer from schema_compatibility c

-- name: applied_migrations
select m.name, m.checksum from schema_migration m order by m.name
