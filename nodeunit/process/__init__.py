"""Programs as the operating system sees them.

    runnable         a row's command as arguments; environment: the environment of a program
    not_executable   why a file cannot be run
    linux            the system calls that Python lacks; disk_usage: the size of a directory
    process_table    /proc: parents, sessions, marks; leftovers: what outlived its supervisor
    control_groups   one cgroup per program; group_limits: its limits
    rotating_log     one log file; log_generations: its older ones
    sampler          CPU and memory of each program

What must not be here: decisions, rows, the database, the protocol between supervisor and daemon. The supervisor imports
all but `runnable` and `sampler`, so only these two may import more than a light part of the standard library. Only
`sampler` uses psutil.
"""
