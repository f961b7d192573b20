"""Packages from their registries, installed once per unit and shared by the deployments that name them.

    package  a package, its lock, an installation, why one failed, and what an installer does
    store    the directory of installations: each complete or absent, one installer at a time

The installer of a registry runs as a process of its own, with the unit's registry settings and without its secrets.
What has its final name in the store is complete.

What must not be here: rows, events, the database, the programs themselves, and the decision to try again.
"""
