"""Benchmarks, `make bench`: each module measures one thing, beside floors and peers of the same run.

    suite         what each measuring module gets
    figure        a measured number: its values of all rounds, its floor, how it is told
    rounds        subjects that are measured one after another, in turn, round by round
    table         JSON and Markdown of a whole run
    machine       what it ran on, and its load
    database      where it runs: a container of its own, or any POSTGRES_URI; fresh databases
    units         real units as processes
    floors        what PostgreSQL does at best: pgbench, bare commits
    peers/        other libraries and supervisors, in environments of their own; never dependencies of nodeunit

    latency       from INSERT to the first claim of a single row
    throughput    claims a second, beside inserts a second and jobs a second
    convergence   how long a fleet takes to claim and to start all rows
    growth        how costs grow with rows and units, as exponents
    listeners     what a notification costs with many listeners
    heartbeats    what a heartbeat costs the server
    replay        reading, folding and verifying a long log
    storage       bytes of the log and of samples, connections
    idle          memory and CPU of a unit with idle programs

`installs`, `leases` and `program_logs` answer questions of their own, each as `python -m tools.bench.NAME`.
"""
