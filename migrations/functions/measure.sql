-- A number that can be compared, summed and averaged: null if it is nan, infinite or so large that sums overflow.

create or replace function measure(p_value double precision) returns double precision
language sql immutable parallel safe
return case when p_value between 0 and 1e15 then p_value end;
