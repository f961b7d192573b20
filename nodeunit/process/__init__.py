"""Programs as the operating system sees them: their environment, their trees, their logs, what they use.

The supervisor imports `process_table`, `leftovers` and `rotating_log`, which therefore keep to a light part of the
standard library. Only `sampler` imports psutil; it belongs to the daemon.
"""
