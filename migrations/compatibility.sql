-- The versions of the code that this schema supports. SCHEMA_VERSION in nodeunit/store/postgres/compatibility.py is the
-- version that the code needs.
--
-- 1  0.1.0
-- 2  lease.inactive_at replaces quiet_at; snapshot events under that name, which readers of version 1 do not know;
--    round_inputs with rows that have a command apart. Units and commands of version 1 still write through the
--    functions in functions/predecessors.

insert into schema_compatibility (version, min_reader, min_writer) values (2, 2, 1)
on conflict on constraint schema_compatibility_pkey do update
set (version, min_reader, min_writer) = (excluded.version, excluded.min_reader, excluded.min_writer);
