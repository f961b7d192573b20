-- The table and the columns that the projections fold into. Databases of 0.1.0 have them already, because there the
-- projections created them. The catalogue is checked first, because ALTER TABLE waits for its lock even if there is
-- nothing to do.

do $$
begin
    if not exists (
        select from pg_attribute
        where attrelid = 'deployment'::regclass and attname = 'address_since' and not attisdropped
    ) then
        alter table deployment
            add column if not exists address_version integer not null default 0,
            add column if not exists address_since timestamptz;
    end if;
end
$$;

comment on column deployment.address_version is
    'The version of the assignment stream at which address was set; the fencing token.';

create table if not exists unit (
    address text not null,
    name text not null default '',
    host text not null default '',
    membership text not null default 'present',
    epoch integer not null default 0,
    version integer not null default 0,
    since timestamptz,
    policy text not null default 'deployment_count',
    cpu_weight double precision not null default 0.5,
    memory_weight double precision not null default 0.5,
    reserved_cpu_percent double precision not null default 0,
    reserved_memory_mb double precision not null default 0,
    trusted text not null default '',
    custom_command boolean not null default false,
    software text not null default '',
    cordoned boolean not null default false,
    drain_until timestamptz,

    constraint unit_pkey primary key (address),
    constraint unit_membership_is_known check (membership in ('present', 'draining', 'left', 'lost'))
);

do $$
begin
    if not exists (
        select from pg_attribute where attrelid = 'unit'::regclass and attname = 'drain_until' and not attisdropped
    ) then
        alter table unit
            add column if not exists cordoned boolean not null default false,
            add column if not exists drain_until timestamptz;
    end if;
end
$$;

comment on column unit.cordoned is 'Set by an operator, and kept across restarts: the unit claims nothing more.';
comment on column unit.drain_until is 'Set while an operator drains the unit; after this time its programs are killed.';
comment on table unit is 'The units of the fleet; a projection of the unit-<address> streams.';
