-- Says that something changed in the view endpoint, once per call: for these deployments, or '*' where they are too many
-- for a payload. It has a channel of its own, because units need not hear it. Like wake, it is a hint without authority.

create or replace function notify_endpoints(p_deployment_ids text[]) returns void
language sql
as $$ select pg_notify(
    'nodeunit_endpoint',
    case when cardinality(p_deployment_ids) <= 200 then array_to_string(p_deployment_ids, ',') else '*' end
) $$;
