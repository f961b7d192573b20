-- The names of the secrets that a row wants in its environment, sorted, each once.

create or replace function secret_names(p_secrets jsonb) returns jsonb
language sql immutable
as $$ select coalesce(jsonb_agg(distinct s.value order by s.value), '[]') from jsonb_each(p_secrets) s $$;
