-- The ordering constraints. A hypertable cannot hold a unique (stream, version), since uniqueness is kept per chunk;
-- so the order of the streams that units contend for lives in two small ordinary tables, by declaration alone:
-- no function, no bug and no hand-typed insert can write a second version 7, leave a gap, or claim what is held.

create table assignment_order (
    deployment_id uuid not null,
    version integer not null,
    assignment text not null,
    holder text not null default '',
    previous_version integer,
    previous_assignment text,

    constraint assignment_order_has_one_event_per_version primary key (deployment_id, version),
    constraint assignment_order_state_is_unique unique (deployment_id, version, assignment),
    constraint assignment_order_invents_no_past
        foreign key (deployment_id, previous_version, previous_assignment)
        references assignment_order (deployment_id, version, assignment),
    constraint assignment_order_is_free_or_held check (assignment in ('free', 'held')),
    constraint assignment_order_starts_free_at_zero check (
        case when version = 0
            then assignment = 'free' and previous_version is null and previous_assignment is null
            else previous_version is not null and previous_assignment is not null
        end
    ),
    constraint assignment_order_has_no_gap check (version = 0 or version = previous_version + 1),
    constraint assignment_order_claims_only_what_is_free check (
        version = 0 or (assignment = 'held') = (previous_assignment = 'free')
    ),
    constraint assignment_order_holder_exactly_when_held check ((assignment = 'held') = (holder <> ''))
);

comment on table assignment_order is 'Who held a deployment, version by version: the order of its assignment stream.';

create table membership_order (
    address text not null,
    version integer not null,
    membership text not null,
    previous_version integer,
    previous_membership text,

    constraint membership_order_has_one_event_per_version primary key (address, version),
    constraint membership_order_state_is_unique unique (address, version, membership),
    constraint membership_order_invents_no_past
        foreign key (address, previous_version, previous_membership)
        references membership_order (address, version, membership),
    constraint membership_order_is_present_or_absent check (membership in ('present', 'absent')),
    constraint membership_order_starts_present_at_one check (
        case when version = 1
            then membership = 'present' and previous_version is null and previous_membership is null
            else previous_version is not null and previous_membership is not null
        end
    ),
    constraint membership_order_has_no_gap check (version = 1 or version = previous_version + 1),
    constraint membership_order_loses_only_who_is_present check (
        version = 1 or membership = 'present' or previous_membership = 'present'
    )
);

comment on table membership_order is 'Joined, lost, left: the order of a unit''s membership stream. A unit is lost once.';
