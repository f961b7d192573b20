"""Packages from their registries, installed once per unit and shared by the deployments that name them.

    of_unit    the store of a unit, as its settings say
    package    a package, its lock, an installation, why one failed, and what an installer does
    store      the directory of installations: each complete or absent, one installer at a time
               lock_file: who installs; record: what an installation is; shared: what several rows want at once
               downloads: what installers have downloaded
    npm        packages of an npm registry; npm_entry: what of them is run; npm_lock: what was installed, exactly
               npm_errors: what npm's errors mean
    python     packages of a Python index, by uv or pip
    child      runs an installer's command; child_keeper: the process that limits it and ends its whole tree

The installer of a registry runs as a process of its own, with the unit's registry settings and without its secrets.
What has its final name in the store is complete.

What must not be here: rows, events, the database, the programs themselves, and the decision to try again.
"""
