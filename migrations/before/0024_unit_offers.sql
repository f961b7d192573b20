-- What a unit can do beyond its trust, as it said when it joined. A unit of an earlier version says nothing: null.

alter table unit
    add column runtimes text[],
    add column secrets text[];

comment on column unit.runtimes is 'npm and python, if the unit can install for them; null: it joined before 0.2.';
comment on column unit.secrets is 'The names of the secret files that the unit has.';
