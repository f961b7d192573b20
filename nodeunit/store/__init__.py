"""Everything that speaks to PostgreSQL; the only importer of psycopg.

The differences from the design, and the reasons:

- *Migrations* are applied by `migrator`, not by yoyo: its lock is a row that outlives a killed migration and must be
  broken by hand, while an advisory lock ends with its session; and it parses the URL itself, which loses libpq's
  several hosts with `target_session_attrs`, the setting a failover needs.
- *A claim* takes the row with `skip locked` before it writes the order: the losers of a race learn it at once instead
  of after the winner's commit, and claims and triggers both lock rows before order, so they cannot deadlock. The
  ordering constraint still decides.
- *The decisions of a unit* are appended with an expected version that is counted in the row which fences it. So an
  append whose answer was lost is looked up, and an original that arrives after its repetition is refused.
- *A shared outage* is any silence of the whole fleet of more than half a lease, noticed by the first heartbeat after
  it. `pg_postmaster_start_time()` would miss a frozen server and a promoted standby, and is too early after a recovery
  that takes longer than a lease.
"""
