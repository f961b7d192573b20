-- Which login of the database is which unit. A fleet that exists already goes on as it is until its owner says that every
-- login must be enrolled: no unit may be locked out by an upgrade.

create table unit_login (
    login name not null,
    address text not null,
    enrolled_at timestamptz not null default clock_timestamp(),
    enrolled_by text not null default session_user,

    constraint unit_login_is_one_unit primary key (login),
    constraint unit_login_address_is_plain check (address ~ '^[^,[:space:][:cntrl:]]{1,200}$')
);

create index unit_login_by_address on unit_login (address);

comment on table unit_login is
    'The logins that may act for a unit, each for one address. A unit may have two while its login is being replaced.';

alter table fleet add column logins_must_be_enrolled boolean not null default true;

comment on column fleet.logins_must_be_enrolled is
    'False: a login with the role nodeunit_unit that is not enrolled acts for every address without an enrolled login.';

update fleet set logins_must_be_enrolled = false where exists (select from membership_order);
