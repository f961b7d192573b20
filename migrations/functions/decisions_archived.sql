-- The decision streams still in use after p_before: the epoch is current, or events follow.

create or replace function decisions_archived(p_before timestamptz) returns table (stream_id text)
language sql stable set search_path from current
begin atomic
    select s.stream_id
    from (
        select distinct e.stream_id from event e
        where e.recorded_at < p_before and e.stream_id like 'decision-%'
    ) s
    where s.stream_id in (
              select 'decision-' || l.address || '-' || l.epoch from lease l where l.epoch is not null
          )
       or exists (select from event e where e.stream_id = s.stream_id and e.recorded_at >= p_before);
end;
