"""The daemon: one module per duty, and one TaskGroup that owns them (`membership_session`, `task_group`).

    heartbeat        renews the lease, stores samples, learns who is lost and whether work waits
    scheduler        claim rounds, driven by wake-ups
    suspicion        goes on without a unit that should claim and does not answer
    reconciler       what should run against what runs: start, stop, restart, park
    restarts         how a program that failed is started again, or parked; remembered by the supervisor
    process_events   the supervisor's reports as events, each in the log once
    outbox           process events, written in order without holding up the reconciler
    supervisor_link  the supervisor at the other end of the socket pair
    drain            gives everything back and leaves

The daemon is a child of the supervisor and takes every decision; the supervisor is the parent of the programs. So a
daemon may crash, be replaced or be fenced while the programs go on: it joins again, asks what runs, and reconciles.
"""
