-- Locks of the database's functions. Advisory locks can be taken by every login that may connect: one that held the lock of
-- a unit's membership kept it from joining, and from being declared lost.

create table named_lock (
    name text not null,

    constraint named_lock_pkey primary key (name)
);

comment on table named_lock is 'Rows that functions lock: membership <address>, for each unit that ever joined, and archive.';

insert into named_lock (name) select distinct 'membership ' || o.address from membership_order o;
