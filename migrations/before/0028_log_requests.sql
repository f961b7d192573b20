-- Reading the log of a program from anywhere: who asks, who sends, and the pieces on their way. Unlogged, because nothing
-- here is worth a byte of WAL: after a crash or a failover the readers ask again. Every limit is a constraint, so that
-- nobody can fill a disk by asking.

create unlogged table log_request (
    id uuid not null default gen_random_uuid(),
    slot smallint not null,
    deployment_id uuid not null,
    unit_address text not null default '',
    tail integer,
    since timestamptz,
    first_byte bigint,
    bytes bigint,
    previous boolean not null default false,
    follow boolean not null default false,
    requested_by text not null default session_user,
    requested_at timestamptz not null default clock_timestamp(),
    expires_at timestamptz not null,
    woken text not null default '',
    woken_at timestamptz not null default '-infinity',

    constraint log_request_pkey primary key (id),
    constraint log_request_has_a_slot_of_its_own unique (slot),
    constraint log_request_is_one_of_64_at_once check (slot between 0 and 63),
    constraint log_request_has_one_beginning check (num_nonnulls(tail, since, first_byte) + previous::integer = 1),
    constraint log_request_tail_is_at_most_100000_lines check (tail between 0 and 100000),
    constraint log_request_bytes_are_not_negative check (bytes >= 0),
    constraint log_request_unit_address_is_at_most_200_characters check (length(unit_address) <= 200)
);

comment on table log_request is 'Who reads the log of a program now. A request whose reader is silent for ten seconds is removed.';
comment on column log_request.unit_address is 'Which unit sends; empty: the one that holds the row, and after a takeover the next.';
comment on column log_request.first_byte is 'The position of the first byte; negative: counted from the end.';

create unlogged table log_sender (
    request_id uuid not null,
    unit_address text not null,
    turn integer not null,
    claim_version integer not null default 0,
    position bigint,
    next_number integer not null default 0,
    confirmed integer not null default -1,
    finished boolean not null default false,
    problem text not null default '',
    seen_at timestamptz not null default clock_timestamp(),

    constraint log_sender_pkey primary key (request_id, unit_address),
    constraint log_sender_sends_for_a_request foreign key (request_id) references log_request (id) on delete cascade,
    constraint log_sender_problem_is_at_most_1000_characters check (length(problem) <= 1000)
);

comment on table log_sender is 'The units that send pieces for a request, and how far they are.';
comment on column log_sender.turn is 'The order in which units held the row: a reader gets what the earlier one sends first.';
comment on column log_sender.position is 'Of the next byte to send; null: the unit has not decided yet where to begin.';

create unlogged table log_piece (
    request_id uuid not null,
    unit_address text not null,
    number integer not null,
    position bigint not null,
    data bytea not null,
    marks jsonb not null default '[]',
    slot smallint not null generated always as (number % 4) stored,

    constraint log_piece_is_one_of_4_on_their_way primary key (request_id, unit_address, slot),
    constraint log_piece_belongs_to_a_sender foreign key (request_id, unit_address)
        references log_sender (request_id, unit_address) on delete cascade,
    constraint log_piece_is_at_most_64_kib check (octet_length(data) <= 65536),
    constraint log_piece_marks_are_at_most_64_kib check (octet_length(marks::text) <= 65536)
) with (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 200);

-- Compressing what is read once and deleted would be a waste.
alter table log_piece alter column data set storage external;

comment on table log_piece is 'Pieces of logs that their readers have not confirmed yet: at most four of each sender.';
