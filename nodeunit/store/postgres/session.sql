-- name: set_session
-- A server does not know the settings that came after it.
select set_config(s.name, s.value, false)
from unnest(%(names)s::text[], %(values)s::text[]) as s (name, value)
where current_setting(s.name, true) is not null
