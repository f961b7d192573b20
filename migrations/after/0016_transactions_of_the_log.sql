-- Since the functions know of the offset, what is appended carries it.

alter table event alter column transaction_id set default log_transaction_id();

comment on column event.transaction_id is
    'The writer''s, as the log numbers them: log_transaction_offset() above that of the cluster which it was written in.';
