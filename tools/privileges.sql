-- What the login of this session may do with each table, view and function of the schema.
-- Asked by tools/privileges.py, once from each login.

-- tables
select c.relname as name, (
           select string_agg(given.may, ', ' order by given.n)
           from unnest(array['select', 'insert', 'update', 'delete', 'truncate', 'references', 'trigger'])
               with ordinality as wanted (what, n)
           cross join lateral (
               select wanted.n, case
                   when has_table_privilege(c.oid, wanted.what) then wanted.what
                   -- Only these three can be given by column and are.
                   when wanted.n <= 3 and has_any_column_privilege(c.oid, wanted.what) then wanted.what || ' without ' || (
                       select string_agg(a.attname, ' ' order by a.attnum) from pg_attribute a
                       where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
                         and not has_column_privilege(c.oid, a.attnum, wanted.what)
                   )
               end as may
           ) given
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
