-- The number to add to a transaction id of this cluster to compare it with event.transaction_id. A restored log without
-- new events continues after its last transaction.

create or replace function log_transaction_offset() returns bigint
language sql stable security definer set search_path from current
as $$
    select coalesce(
        (select l.transaction_offset from log_transactions l where l.xmin = l.row_xmin and l.tableoid = l.row_table),
        (select max(e.transaction_id)::text::bigint from event e),
        0
    )
$$;
