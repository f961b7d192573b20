-- Folds what was recorded before these columns and this table existed. From now on the appending functions do it.

select unit_rebuild();
select program_rebuild();
