-- The log numbers its transactions itself, because pg_dump moves it to clusters that number theirs differently.

create table log_transactions (
    only_row boolean not null default true,
    transaction_offset bigint not null,
    row_xmin xid not null,
    row_table oid not null,

    constraint log_transactions_pkey primary key (only_row),
    constraint log_transactions_has_one_row check (only_row),
    constraint log_transactions_goes_on_after_what_was_restored check (transaction_offset >= 0)
);

comment on table log_transactions is 'How the transaction ids of the log are derived from those of its cluster.';
comment on column log_transactions.transaction_offset is
    'Added to a transaction id of the cluster. What was written before the last restore is not above it.';
comment on column log_transactions.row_xmin is
    'The xmin of this row. pg_dump copies the value, but a restored row has another xmin, which reveals the restore.';
comment on column log_transactions.row_table is 'The tableoid of this row, for the same reason.';

-- A log that was restored before this file was applied continues above its highest transaction id.
insert into log_transactions (transaction_offset, row_xmin, row_table)
select greatest(coalesce(max(e.transaction_id)::text::bigint - pg_current_xact_id()::text::bigint, 0), 0),
       pg_current_xact_id()::xid, 'log_transactions'::regclass
from event e;
