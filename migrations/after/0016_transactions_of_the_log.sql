-- From now on new events have the offset, because the functions know it.

alter table event alter column transaction_id set default log_transaction_id();

comment on column event.transaction_id is
    'The transaction of the writer, plus the log_transaction_offset() of the cluster in which it was written.';
