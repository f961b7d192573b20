-- The log numbers transactions by itself, because pg_dump takes it to clusters that count theirs from another beginning.

create table log_transactions (
    only_row boolean not null default true,
    transaction_offset bigint not null,
    row_xmin xid not null,
    row_table oid not null,

    constraint log_transactions_pkey primary key (only_row),
    constraint log_transactions_has_one_row check (only_row),
    constraint log_transactions_goes_on_after_what_was_restored check (transaction_offset >= 0)
);

comment on table log_transactions is 'How the transaction ids of the log follow from those of the cluster it is in.';
comment on column log_transactions.transaction_offset is
    'Added to a transaction id of the cluster. What was written before the last restore is not above it.';
comment on column log_transactions.row_xmin is
    'The xmin of this very row, which pg_dump writes as a value and a restored row does not have: so a restore shows.';
comment on column log_transactions.row_table is 'The tableoid of this very row, for the same reason.';

-- A log that was restored before this file came goes on above what it has.
insert into log_transactions (transaction_offset, row_xmin, row_table)
select greatest(coalesce(max(e.transaction_id)::text::bigint - pg_current_xact_id()::text::bigint, 0), 0),
       pg_current_xact_id()::xid, 'log_transactions'::regclass
from event e;
