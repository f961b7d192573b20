"""A real Patroni cluster on this machine: `python -m tools.patroni` makes its image available.

    image      PostgreSQL 17, TimescaleDB, Patroni and etcd, from Debian's packages
    cluster    three nodes and an etcd in containers: switch over, kill, isolate

The cluster is what docs/high-availability.md describes, with the shortest times that Patroni allows.
"""
