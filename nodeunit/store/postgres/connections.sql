-- name: apply_settings
-- `-c name=value -c name=value`, after the start: a pooling proxy refuses most settings as startup parameters.
select set_config(s.given[1], s.given[2], false)
from regexp_matches(%(settings)s, '-c\s*(\S+?)=(\S+)', 'g') as s (given)
