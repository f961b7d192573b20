-- What the login of this session may do with each table, view and function of the schema.
-- Asked by tools/privileges.py, once from each login.

-- tables
select c.relname as name,
       concat_ws(', ',
           case when has_table_privilege(c.oid, 'select') then 'select'
                when has_any_column_privilege(c.oid, 'select') then 'select without ' || (
                    select string_agg(a.attname, ' ' order by a.attnum) from pg_attribute a
                    where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
                      and not has_column_privilege(c.oid, a.attnum, 'select')
                ) end,
           case when has_table_privilege(c.oid, 'insert') then 'insert'
                when has_any_column_privilege(c.oid, 'insert') then 'insert without ' || (
                    select string_agg(a.attname, ' ' order by a.attnum) from pg_attribute a
                    where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
                      and not has_column_privilege(c.oid, a.attnum, 'insert')
                ) end,
           case when has_table_privilege(c.oid, 'update') then 'update'
                when has_any_column_privilege(c.oid, 'update') then 'update without ' || (
                    select string_agg(a.attname, ' ' order by a.attnum) from pg_attribute a
                    where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
                      and not has_column_privilege(c.oid, a.attnum, 'update')
                ) end,
           case when has_table_privilege(c.oid, 'delete') then 'delete' end,
           case when has_table_privilege(c.oid, 'truncate') then 'truncate' end,
           case when has_table_privilege(c.oid, 'references') then 'references' end,
           case when has_table_privilege(c.oid, 'trigger') then 'trigger' end
       ) as may
from pg_class c
where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p', 'v', 'm')
  and not exists (select from pg_depend d where d.objid = c.oid and d.deptype = 'e')
order by 1;

-- functions
select p.oid::regprocedure::text as name,
       case when has_function_privilege(p.oid, 'execute') then 'execute' else '' end as may
from pg_proc p
where p.pronamespace = 'public'::regnamespace and p.prokind = 'f'
  and not exists (select from pg_depend d where d.objid = p.oid and d.deptype = 'e')
order by 1;
