-- What is to be added to a transaction id of this cluster, so that it can be compared with event.transaction_id.
-- A log that was restored, and that nobody has written to since, goes on after the last transaction that it tells of.

create or replace function log_transaction_offset() returns bigint
language sql stable security definer set search_path from current
as $$
    select coalesce(
        (select l.transaction_offset from log_transactions l where l.xmin = l.row_xmin and l.tableoid = l.row_table),
        (select max(e.transaction_id)::text::bigint from event e),
        0
    )
$$;
