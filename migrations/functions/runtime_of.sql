-- How a row's program is made available: npm, python or command. A row that does not say is a command if it has one.

create or replace function runtime_of(p_row deployment) returns text
language sql immutable
as $$ select case when p_row.runtime <> '' then p_row.runtime when p_row.command <> '' then 'command' else 'npm' end $$;
