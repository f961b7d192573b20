-- name: request_log
select request_log(
    %(deployment_id)s, %(unit_address)s, %(tail)s, %(since)s, %(first_byte)s, %(bytes)s, %(previous)s, %(follow)s,
    %(resume)s::jsonb
)

-- name: read_log
select l.request_id, l.unit_address, l.holds, l.answers, l.finished, l.problem, l.numbers, l.positions, l.data, l.marks
from read_log(%(requests)s::uuid[], %(confirmed)s::jsonb) as l

-- name: end_log_requests
select end_log_requests(%(requests)s::uuid[])

-- name: serve_logs
select l.request_id, l.deployment_id, l.tail, l.since_s, l.first_byte, l.bytes, l.previous, l.follow, l.holds, l.is_first,
       l.claim_version, l.position, l.next_number, l.confirmed
from serve_logs(
    %(address)s, %(requests)s::uuid[], %(numbers)s::integer[], %(positions)s::bigint[], %(data)s::bytea[],
    %(marks)s::jsonb[], %(states)s::jsonb
) as l
