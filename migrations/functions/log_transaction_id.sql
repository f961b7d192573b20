-- The transaction id of this transaction in the log: the default of event.transaction_id.
-- The first writer to a restored log sets the offset; others wait once for the end of its transaction.

create or replace function log_transaction_id() returns xid8
language plpgsql security definer set search_path from current as $$
declare
    v_offset bigint := (
        select l.transaction_offset from log_transactions l where l.xmin = l.row_xmin and l.tableoid = l.row_table
    );
begin
    if v_offset is null then
        perform from log_transactions for update;
        v_offset := log_transaction_offset();
        insert into log_transactions as l (transaction_offset, row_xmin, row_table) values (v_offset, '0', 0)
        on conflict on constraint log_transactions_pkey do update set transaction_offset = excluded.transaction_offset;
        -- Only now is its xmin known, which in a subtransaction is not that of the transaction.
        update log_transactions l set (row_xmin, row_table) = (l.xmin, l.tableoid);
    end if;
    return (pg_current_xact_id()::text::bigint + v_offset)::text::xid8;
end
$$;
