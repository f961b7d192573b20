"""`nodeunit doctor`: what is misconfigured in a fleet, one module per group of checks.

    examination  runs the checks, each bounded in time; one that cannot be made is named and stops nothing
    server       the database server: reachable, a primary, reached directly, large enough
    schema       the login and the migrations
    fleet        units, and the rows that nobody can run
    log          the event log: its projections, its age, open transactions
    machine      this machine as that of a unit: settings, tools, disks, control groups

Checks only read. A check answers with findings (`domain.finding`); none is healthy.
"""
