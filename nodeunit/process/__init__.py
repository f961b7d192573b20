"""Programs as the operating system sees them.

    runnable         a row's command as arguments; environment: the environment of a program
    not_executable   why a file cannot be run
    linux            the system calls that Python lacks; disk_usage: the size of a directory
    process_table    /proc: parents, sessions, marks; leftovers: what outlived its supervisor
    control_groups   one cgroup per program; group_limits: its limits
    environment_file variables that a unit gives its programs; secret_files: secrets; free_port: a port
    rotating_log     one log file; log_generations: its older ones; last_lines: its end, for an event
    sampler          CPU and memory of each program; tree_times: CPU time of what has ended too

What must not be here: decisions, rows, the database, the protocol between supervisor and daemon. What the supervisor
imports of it imports only a light part of the standard library itself: not `runnable`, `sampler`, `last_lines` and the
files of a unit. Only `sampler` and `tree_sizes` use psutil.
"""
