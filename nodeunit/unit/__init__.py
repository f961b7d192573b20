"""The daemon: one module per duty, and one TaskGroup that owns them (`epoch`, `duties`).

    heartbeat   renews the lease, stores samples, learns who is lost and whether work waits
    scheduler   claim rounds, driven by wake-ups
    patience    goes on without a unit that should claim and does not answer
    runner      what should run against what runs: start, stop, restart, park
    journal     process events, written in order without holding up the runner
    link        the supervisor at the other end of the socket pair
    drain       gives everything back and leaves

The daemon is a child of the supervisor and takes every decision; the supervisor is the parent of the programs. So a
daemon may crash, be replaced or be fenced while the programs go on: it joins again, asks what runs, and reconciles.
"""
