-- The rows without their env, which may hold secrets: for those who may not read it, and for tools that show rows.

do $$
begin
    execute format('create or replace view deployment_shown as select %s from deployment d', (
        select string_agg(format('d.%I', a.attname), ', ' order by a.attnum)
        from pg_attribute a
        where a.attrelid = 'deployment'::regclass and a.attnum > 0 and not a.attisdropped and a.attname <> 'env'
    ));
end
$$;

comment on view deployment_shown is 'The table deployment without env, which only operators read.';
